"""The corpora come in without one mail lost, failed or altered."""

from __future__ import annotations

import asyncio
import gzip
import re
import tarfile
from pathlib import Path

import pytest

from ingress.importer.run import Target, bring_in
from ingress.importer.sources import mails
from tests.corpora import corpora, corpus_files
from tests.fakes import FINGERPRINT, FakeClock, FakeIntake, FakeKeys, FakeRandom

BOX = "00000000-0000-7000-8000-00000000000a"
_SIZE = re.compile(rb"FETCH \(UID (\d+) RFC822\.SIZE (\d+)")


def bring(*paths: Path) -> tuple[FakeIntake, int]:
    """Import `paths`; return what came in and how many of it was there twice."""
    intake = FakeIntake()
    target = Target(
        mailbox_id=BOX,
        intake=intake,
        keys=FakeKeys(),
        known=lambda ids: set(),
        label_of=lambda name: None,
        clock=FakeClock(),
        random=FakeRandom(),
        fingerprint=FINGERPRINT,
    )
    report = asyncio.run(bring_in(mails(paths), target))
    assert not report.failures
    assert report.new == len(intake.arrivals)
    return intake, report.known


def without_from_line(raw: bytes) -> bytes:
    """What a file with one mail holds: read naively, apart from the importer."""
    lines = raw.split(b"\n")
    if lines[0].startswith(b"From "):
        lines = [re.sub(rb"^>(>*From )", rb"\1", line) for line in lines[1:]]
        if lines[-2:] == [b"", b""]:
            lines.pop()
    return b"\r\n".join(line.removesuffix(b"\r") for line in lines)


@pytest.mark.parametrize("name", ["easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2"])
def test_spamassassin(name: str) -> None:
    path = corpora("spam", f"spamassassin-{name}.tar.gz")
    with tarfile.open(path) as archive:
        files = [archive.extractfile(m) for m in archive if m.isfile()]
        expected = [without_from_line(f.read()) for f in files if f is not None]
    intake, twice = bring(path)
    assert len(intake.arrivals) + twice == len(expected) > 0
    assert set(intake.contents()) == set(expected)


@pytest.mark.parametrize(
    "name", ["asterix-dev-201709", "httpd-users-202007", "notmuch-default", "notmuch-lkml"]
)
def test_threading_corpora_have_the_sizes_that_dovecot_gives(name: str) -> None:
    fetched = gzip.decompress(corpora("threading", name, "dovecot.fetch.txt.gz").read_bytes())
    sizes = {int(m[1]): int(m[2]) for m in _SIZE.finditer(fetched)}
    boxes = [p for p in corpus_files("threading", name) if p.name == "mail.mbox.gz"]
    folders = [p for p in corpora("threading", name).iterdir() if p.is_dir()]
    intake, twice = bring(*boxes, *folders)
    assert len(intake.arrivals) + twice == len(sizes) > 0
    found = sorted(intake.received(i).size for i in range(len(intake.arrivals)))
    assert set(found) == set(sizes.values())
