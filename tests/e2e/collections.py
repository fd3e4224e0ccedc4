"""Collections of real mail, read by a reader that shares nothing with the importer."""

from __future__ import annotations

import gzip
import re
import tarfile
from pathlib import Path

from tests.corpora import corpora, corpus_files

THREADING = ("asterix-dev-201709", "httpd-users-202007", "notmuch-default", "notmuch-lkml")
SPAMASSASSIN = ("easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2")
MIME = {"mime4j": "*.msg", "enmime": "*.raw", "nodemailer": "*.eml"}

# The date that a delivering program writes into a From_ line, as ctime(3) does.
_DATED = re.compile(rb"\d\d:\d\d(:\d\d)?\D.*\d{4}\s*$")


def messages_in(content: bytes) -> list[bytes]:
    """The messages of a file that is an mbox or one message, with CRLF line ends."""
    found: list[list[bytes]] = []
    after_blank = True
    for line in content.removesuffix(b"\n").split(b"\n"):
        if after_blank and line.startswith(b"From ") and _DATED.search(line):
            found.append([])
        elif found and re.match(rb">+From ", line):
            found[-1].append(line[1:])
        else:
            if not found:
                return [_crlf(content)]
            found[-1].append(line)
        after_blank = line in (b"", b"\r")
    # The empty line before a From_ line, or at the end of the file, separates.
    return [
        _crlf(b"".join(x + b"\n" for x in (lines[:-1] if lines[-1] in (b"", b"\r") else lines)))
        for lines in found
    ]


def _crlf(content: bytes) -> bytes:
    return re.sub(rb"\r?\n", b"\r\n", content)


def threading_paths(name: str) -> list[Path]:
    """What a person would name to import one set of correspondence."""
    box = corpora("threading", name) / "mail.mbox.gz"
    if box.exists():
        return [box]
    return [p for p in corpora("threading", name).iterdir() if p.is_dir()]


def threading_messages(name: str) -> dict[int, bytes]:
    """The messages of a set by the number that both oracles know them by."""
    folder = corpora("threading", name)
    lines = (folder / "dovecot.order.tsv").read_text().splitlines()
    order = {int(uid): where for uid, where in (x.split("\t") for x in lines if x[:1].isdigit())}
    box = folder / "mail.mbox.gz"
    if box.exists():
        found = messages_in(gzip.decompress(box.read_bytes()))
        return {uid: found[int(where.partition("#")[2])] for uid, where in order.items()}
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    raw: dict[int, bytes] = {}
    for uid, where in order.items():
        (path,) = (p for name, p in files.items() if where.endswith("/" + name))
        (raw[uid],) = messages_in(path.read_bytes())
    return raw


def spamassassin_path(name: str) -> Path:
    """A tarball of the SpamAssassin corpus."""
    return corpora("spam", f"spamassassin-{name}.tar.gz")


def spamassassin_messages(name: str) -> list[bytes]:
    """The messages of a tarball, repeats included."""
    with tarfile.open(spamassassin_path(name)) as archive:
        files = [archive.extractfile(member) for member in archive if member.isfile()]
        return [m for f in files if f is not None for m in messages_in(f.read())]


def mime_paths() -> list[Path]:
    """All messages that were made to be hard to parse."""
    return [
        p for name, pattern in MIME.items() for p in corpus_files("mime", name, pattern=pattern)
    ]
