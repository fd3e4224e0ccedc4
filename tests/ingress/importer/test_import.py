from __future__ import annotations

import asyncio
import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.ports import EngineDown
from ingress.importer.kept import Found, Kept
from ingress.importer.run import Report, Target, bring_in
from ingress.importer.sources import Meter, mails
from tests.fakes import FINGERPRINT, FakeClock, FakeIntake, FakeKeys, FakeRandom

BOX = "00000000-0000-7000-8000-00000000000a"
OTHER = "00000000-0000-7000-8000-00000000000b"
FROM = b"From s@sender.test Mon Jan  1 00:00:00 2001\n"
NEW_YEAR = 978307200_000000


def mail(subject: str) -> bytes:
    return f"From: s@sender.test\nSubject: {subject}\n\ntext of {subject}\n".encode()


def stored(subject: str) -> bytes:
    return mail(subject).replace(b"\n", b"\r\n")


class Installation:
    """What an import meets: a log, keys, labels."""

    def __init__(self) -> None:
        self.intake = FakeIntake()
        self.keys = FakeKeys()
        self.labels: dict[str, str] = {}

    def target(self, mailbox_id: str = BOX, labels: tuple[str, ...] = ()) -> Target:
        return Target(
            mailbox_id=mailbox_id,
            intake=self.intake,
            keys=self.keys,
            known=lambda ids: set(ids) & {a.mail_id for a in self.intake.arrivals},
            label_of=lambda name: self.labels.setdefault(name, f"label-of-{name}"),
            clock=FakeClock(),
            random=FakeRandom(),
            fingerprint=FINGERPRINT,
            labels=labels,
        )

    def bring(self, *paths: Path, labels: tuple[str, ...] = (), to: str = BOX) -> Report:
        return asyncio.run(bring_in(mails(paths), self.target(to, labels)))

    def by_subject(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for i, content in enumerate(self.intake.contents()):
            found[content.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode()] = i
        return found


@pytest.fixture
def house() -> Installation:
    return Installation()


def mbox(*subjects: str) -> bytes:
    return b"".join(FROM + mail(s) + b"\n" for s in subjects)


def tar_of(files: dict[str, bytes], mtime: int = 1_000_000_000) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), mtime
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_an_mbox_comes_in_with_its_dates(house: Installation, tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(mbox("one", "two"))
    report = house.bring(tmp_path / "box")
    assert (report.new, report.known, report.failed) == (2, 0, 0)
    assert house.intake.contents() == [stored("one"), stored("two")]
    received = house.intake.received()
    assert received.source == "import"
    assert received.internal_date == NEW_YEAR
    assert received.mailboxes == [BOX]


def test_a_second_import_changes_nothing(house: Installation, tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(mbox("one", "two"))
    house.bring(tmp_path / "box")
    (tmp_path / "more").write_bytes(mbox("two", "three"))
    report = house.bring(tmp_path)
    assert (report.new, report.known, report.failed) == (1, 2 + 1, 0)
    assert sorted(house.by_subject()) == ["one", "three", "two"]


def test_copies_in_one_import_come_in_once(house: Installation, tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(mbox("one", "two", "one"))
    report = house.bring(tmp_path / "box")
    assert (report.new, report.known) == (2, 1)


def test_another_mailbox_gets_its_own(house: Installation, tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(mbox("one"))
    house.bring(tmp_path / "box")
    report = house.bring(tmp_path / "box", to=OTHER)
    assert report.new == 1
    assert house.intake.received().mailboxes == [OTHER]


def test_an_import_that_was_broken_off_is_resumed(house: Installation, tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(mbox(*(f"m{i}" for i in range(500))))
    accept = house.intake.accept

    async def failing(arrival: object) -> None:
        house.intake.down = len(house.intake.arrivals) >= 300
        await accept(arrival)  # type: ignore[arg-type]

    house.intake.accept = failing  # type: ignore[method-assign, assignment]
    with pytest.raises(EngineDown):
        house.bring(tmp_path / "box")
    house.intake.accept = accept  # type: ignore[method-assign]
    house.intake.down = False
    report = house.bring(tmp_path / "box")
    assert (report.new, report.known) == (200, 300)
    assert len(set(house.intake.contents())) == 500


def test_a_key_that_a_killed_import_left_is_the_one_used(
    house: Installation, tmp_path: Path
) -> None:
    (tmp_path / "box").write_bytes(mbox("one"))
    house.bring(tmp_path / "box")
    key = house.intake.arrivals.pop().key
    house.bring(tmp_path / "box")
    assert house.intake.arrivals[0].key == key


def test_a_maildir_comes_in_with_flags_and_dates(house: Installation, tmp_path: Path) -> None:
    for folder in ("cur", "new", "tmp"):
        (tmp_path / folder).mkdir()
    files = {"cur/1.a.h:2,RS": "read", "cur/2.b.h:2,": "unread", "new/3.c.h": "new"}
    for name, subject in {**files, "cur/4.d.h:2,FT": "trashed", "tmp/5.e.h": "half"}.items():
        (tmp_path / name).write_bytes(mail(subject))
        os.utime(tmp_path / name, ns=(0, 1_000_000_000_123456000))
    (tmp_path / "cur" / "notes.txt").write_bytes(b"Shopping: milk\n")
    report = house.bring(tmp_path)
    assert (report.new, report.failed, report.not_mail) == (4, 0, 1)
    at = house.by_subject()
    assert sorted(at) == ["new", "read", "trashed", "unread"]
    read, trashed = house.intake.received(at["read"]), house.intake.received(at["trashed"])
    assert read.flags == ["answered", "seen"]
    assert read.internal_date == 1_000_000_000_123456
    assert house.intake.received(at["unread"]).flags == []
    assert (trashed.flags, trashed.labels) == (["flagged"], ["TRASH"])


def test_a_maildir_file_is_mail_whatever_it_looks_like(house: Installation, tmp_path: Path) -> None:
    (tmp_path / "cur").mkdir()
    odd = [b"no header at all\n", FROM + mail("a From_ line in a Maildir"), b"\xff\xfe\0\n"]
    for i, content in enumerate(odd):
        (tmp_path / "cur" / f"{i}.h:2,").write_bytes(content)
    assert house.bring(tmp_path).new == 3
    assert house.intake.contents() == [c.replace(b"\n", b"\r\n") for c in odd]


def test_folders_are_gone_through_and_other_files_left(house: Installation, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.eml").write_bytes(mail("eml"))
    (tmp_path / "a" / "0001.5f3a").write_bytes(mail("no suffix"))
    (tmp_path / "a" / "Archive").write_bytes(mbox("in mbox"))
    (tmp_path / "a" / "notes.txt").write_bytes(b"Shopping: milk\n")
    (tmp_path / "a" / "cmds").write_bytes(b"mv 1 2\n")
    (tmp_path / "a" / "picture.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "a" / "empty").write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path)
    report = house.bring(tmp_path)
    assert (report.new, report.failed, report.not_mail) == (3, 0, 4)
    assert sorted(house.by_subject()) == ["eml", "in mbox", "no suffix"]


def test_a_file_that_is_named_is_mail_whatever_it_looks_like(
    house: Installation, tmp_path: Path
) -> None:
    (tmp_path / "odd").write_bytes(b"Shopping: milk\n")
    assert house.bring(tmp_path / "odd").new == 1


def test_the_date_of_an_eml_file_is_its_topmost_received(
    house: Installation, tmp_path: Path
) -> None:
    (tmp_path / "x.eml").write_bytes(
        b"Received: from a by b; Mon, 1 Jan 2001 00:00:00 +0000\n"
        b"Date: Sun, 31 Dec 2000 23:00:00 +0000\n\n"
    )
    (tmp_path / "y.eml").write_bytes(b"Subject: no date\n\n")
    os.utime(tmp_path / "y.eml", ns=(0, 5_000_000_000))
    house.bring(tmp_path)
    dates = [house.intake.received(i).internal_date for i in range(2)]
    assert dates == [NEW_YEAR, 5_000_000]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_tars_and_single_files_come_in_compressed_or_not(
    house: Installation, tmp_path: Path, pack: object
) -> None:
    assert callable(pack)
    tar = tar_of(
        {
            "md/cur/1:2,S": mail("maildir"),
            "box": mbox("first", "second"),
            "x/y.eml": mail("eml"),
            "x/aligned": (mail("aligned") + b"x" * 512)[:512],
            "x/noise": b"noise",
        }
    )
    (tmp_path / "all.tar").write_bytes(pack(tar))
    (tmp_path / "box").write_bytes(pack(mbox("alone")))
    report = house.bring(tmp_path / "all.tar", tmp_path / "box")
    assert (report.new, report.failed, report.not_mail) == (6, 0, 1)
    at = house.by_subject()
    assert sorted(at) == ["aligned", "alone", "eml", "first", "maildir", "second"]
    assert house.intake.received(at["maildir"]).internal_date == 1_000_000_000_000000
    assert house.intake.received(at["maildir"]).flags == ["seen"]


def test_what_can_not_be_read_stops_nothing(house: Installation, tmp_path: Path) -> None:
    whole = gzip.compress(tar_of({f"{i}.eml": mail(str(i)) * 50 for i in range(50)}), mtime=0)
    (tmp_path / "a-cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b-damaged.gz").write_bytes(b"\x1f\x8b garbage")
    (tmp_path / "c-cut.xz").write_bytes(lzma.compress(mbox("x") * 100)[:50])
    (tmp_path / "d.eml").write_bytes(mail("good"))
    (tmp_path / "e-cut.tar").write_bytes(tar_of({"1.eml": mail("1"), "2.eml": mail("2")})[:1600])
    report = house.bring(tmp_path, tmp_path / "absent")
    assert "good" in house.by_subject()
    assert "1" in house.by_subject()
    assert report.failed == len(report.failures) >= 4
    origins = " ".join(f.origin for f in report.failures)
    assert all(name in origins for name in ("a-cut", "b-damaged", "c-cut", "absent"))
    assert all(f.reason for f in report.failures)


def test_labels_asked_for_and_labels_found_are_given_by_identifier(
    house: Installation, tmp_path: Path
) -> None:
    headers = b"X-Gmail-Labels: Inbox,Work\nX-Keywords: Work Later\nStatus: R\n"
    (tmp_path / "box").write_bytes(FROM + headers + mail("one") + b"\n" + FROM + mail("two"))
    house.bring(tmp_path / "box", labels=("asked",))
    one, two = house.intake.received(0), house.intake.received(1)
    assert one.labels == ["asked", "INBOX", "label-of-Later", "label-of-Work"]
    assert one.flags == ["seen"]
    assert two.labels == ["asked"]
    assert sorted(house.labels) == ["Later", "Work"]


def test_a_message_that_is_too_large_is_reported(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingress.importer.run.MAX_MESSAGE_BYTES", 10)
    found: list[Found] = [Kept("here", b"x" * 11, 0), Kept("there", b"x" * 10, 0)]
    report = asyncio.run(bring_in(found, house.target()))
    assert (report.new, report.failed) == (1, 1)
    assert report.failures[0].origin == "here"


def test_progress_is_told_and_the_meter_comes_to_its_end(
    house: Installation, tmp_path: Path
) -> None:
    (tmp_path / "box").write_bytes(mbox(*(f"m{i}" for i in range(450))))
    meter, told = Meter(), list[tuple[int, int]]()

    def progress(report: Report) -> None:
        told.append((report.seen, meter.done))

    asyncio.run(bring_in(mails([tmp_path / "box"], meter), house.target(), progress=progress))
    assert told == sorted(told)
    assert len(told) >= 3
    assert told[-1] == (450, meter.total) == (450, (tmp_path / "box").stat().st_size)


def test_only_so_many_mails_wait_at_a_time(house: Installation) -> None:
    drawn = 0

    def endless() -> Iterator[Found]:
        nonlocal drawn
        for i in range(10_000):
            drawn += 1
            yield Kept(str(i), str(i).encode(), 0)

    async def scenario() -> None:
        house.intake.gate = asyncio.Event()
        running = asyncio.create_task(bring_in(endless(), house.target()))
        for _ in range(100):
            await asyncio.sleep(0)
        assert drawn <= 1_000
        house.intake.gate.set()
        assert (await running).new == 10_000

    asyncio.run(scenario())
