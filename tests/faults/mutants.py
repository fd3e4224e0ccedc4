"""Hostile mail: mutations of real and of made messages, and messages that are extreme as made."""

from __future__ import annotations

import base64
import gzip
import mailbox
import random
import re
import tarfile
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tests.corpora import corpora_root
from tests.faults.letters import letters
from tests.fuzz.mutate import mutations

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_LARGEST_SEED = 60_000


def seeds() -> list[bytes]:
    """Return messages to mutate: of the corpora, where they are, and of our own making."""
    made = [x.raw[:_LARGEST_SEED] for x in letters(60, ("ann",), 5)]
    root = corpora_root()
    if not root.is_dir():
        return made
    files = [p for kind in ("mime", "dkim") for p in sorted((root / kind).rglob("*"))]
    real = [p.read_bytes() for p in files if p.is_file() and p.suffix not in (".xml", ".tsv")]
    real += _of_tar(root / "spam" / "phishing_pot-dev.tar.gz", 150)
    for archive in sorted((root / "spam").glob("spamassassin-*.tar.gz")):
        real += _of_tar(archive, 150)
    for box in sorted((root / "threading").rglob("mail.mbox.gz")):
        real += _of_mbox(box, 150)
    assert len(real) > 500, "the corpora are there, and empty"
    return made + [crlf(raw[:_LARGEST_SEED]) for raw in real]


def _of_tar(archive: Path, most: int) -> list[bytes]:
    found: list[bytes] = []
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            if file is not None:
                found.append(file.read(_LARGEST_SEED))
            if len(found) == most:
                break
    return found


def _of_mbox(box: Path, most: int) -> list[bytes]:
    with tempfile.NamedTemporaryFile() as plain:
        plain.write(gzip.decompress(box.read_bytes()))
        plain.flush()
        read = mailbox.mbox(plain.name)
        keys = list(read.keys())[:most]
        return [read.get_bytes(k) for k in keys]


def crlf(raw: bytes) -> bytes:
    """Return `raw` with CRLF for every line end, and one at its end."""
    text = _BARE.sub(b"\r\n", raw)
    return text if text.endswith(b"\r\n") else text + b"\r\n"


def mutants(count: int, seed: int) -> Iterator[bytes]:
    """Yield so many mutated messages; two thirds of them keep to CRLF and have no NUL."""
    rng = random.Random(seed)
    given = seeds()
    # What comes first are the seeds as they are.
    for raw in islice(mutations(given, seed), len(given), len(given) + count):
        yield raw if rng.randrange(3) == 0 else crlf(raw.replace(b"\0", b"0"))


def extremes() -> dict[str, bytes]:
    """Return messages that are valid on the wire and go beyond every measure of a reader."""
    head = b"From: a@b.example\r\nTo: ann@example.test\r\nSubject: extreme\r\n"
    mime = head + b"MIME-Version: 1.0\r\n"
    deep = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(400)
    )
    forwarded = b"Content-Type: message/rfc822\r\n\r\n" * 400
    wide = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * 20_000
    html = b"Content-Type: text/html\r\n\r\n"
    end = b"\r\n\r\nx\r\n"
    plain = mime + b"Content-Type: text/plain"
    return {
        "nothing": b"",
        "one empty line": b"\r\n",
        "no header": b"\r\nbody\r\n",
        "no body": head,
        "nested parts": mime + deep + b"\r\nx\r\n",
        "nested messages": mime + forwarded + b"x\r\n",
        "many parts": mime + wide,
        "long boundary": mime + b"Content-Type: multipart/mixed; boundary=" + b"b" * 50_000 + end,
        "long line": head + b"X: " + b"x" * 1_000_000 + b"\r\n\r\nbody\r\n",
        "long body line": head + b"\r\n" + b"x" * 3_000_000 + b"\r\n",
        "many fields": head + b"X: y\r\n" * 50_000 + b"\r\nbody\r\n",
        "folded": head + b"X:" + b"\r\n y" * 100_000 + b"\r\n\r\nbody\r\n",
        "many addresses": head + b"Cc: " + b"a@b.example,\r\n " * 20_000 + b"c@d.example" + end,
        "nested comments": head + b"Cc: " + b"(" * 50_000 + b")" * 50_000 + end,
        "open quotes": head + b'Cc: "' + b'\\"' * 50_000 + end,
        "groups": head + b"Cc: " + b"g: a@b.example;, " * 10_000 + end,
        "references": head + b"References:" + b"\r\n <a@b.example>" * 30_000 + end,
        "encoded words": head + b"Subject: " + b"=?utf-8?q?a?=\r\n " * 30_000 + end,
        "bad encoded words": head + b"Subject: " + b"=?" * 100_000 + end,
        "parameters": plain + b"".join(b";\r\n name*%d=a" % n for n in range(20_000)) + end,
        "nested tags": mime + html + b"<div>" * 100_000 + b"\r\n",
        "style": mime + html + b"<style>" + b"a{b:c}" * 100_000 + b"\r\n",
        "entities": mime + html + b"&lt;" * 300_000 + b"\r\n",
        "flowed": plain + b"; format=flowed\r\n\r\n" + b">>> a \r\n" * 100_000,
        "quoted-printable": mime
        + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        + b"=E2=82=AC=\r\n" * 100_000,
        "base64": mime
        + b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(bytes(2_000_000)).replace(b"\n", b"\r\n"),
        "bad base64": mime + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=AA=*\r\n" * 100_000,
        "unknown charset": plain + b"; charset=x-none\r\n\r\n\xff\xfe\xfd\r\n",
        "utf-7": plain + b"; charset=utf-7\r\n\r\n+" + b"AD" * 50_000 + b"\r\n",
        "8 bit": mime + bytes(b for b in range(1, 256) if b not in (10, 13)) * 1_000 + b"\r\n",
        "signatures": b"DKIM-Signature: v=1; a=rsa-sha256; d=b.example; s=s; h=from; bh=x; b=y\r\n"
        * 2_000
        + head
        + b"\r\nx\r\n",
        "octets in a signature": b"DKIM-Signature: v=1; a=rsa-sha256; d=\xaa.test; s=\xff; h=from;"
        b" bh=x; b=y\r\n" + head + b"\r\nx\r\n",
        "long selector": b"DKIM-Signature: v=1; a=rsa-sha256; d=b.example; h=from; bh=x; b=y; s="
        + b"s" * 700_000
        + b"\r\n"
        + head
        + b"\r\nx\r\n",
        "seals": b"".join(
            b"ARC-Seal: i=%d; a=rsa-sha256; cv=pass; d=b.example; s=s; b=x\r\n" % n
            for n in range(1_000)
        )
        + head
        + b"\r\nx\r\n",
        "controls": head + b"X: \x01\x02\x7f\x1b[31m\r\n\r\n\x1b[2J\x07\r\n",
        "dates": b"Date: " + b"9" * 100_000 + b"\r\n" + head + b"\r\nx\r\n",
    }
