"""How fast search folds and answers: `python -m tests.bench.search [MESSAGES]`.

Mails have the words of real text in its proportions: a vocabulary drawn by Zipf's law. Content is
made as it is asked for, so what is measured is reading the text, cutting it into tokens, and
writing the index; then the queries of a mailbox that holds all of them.
"""

from __future__ import annotations

import platform
import random
import sys
import tempfile
import time
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, islice
from pathlib import Path

from infra.ports import Content, Output, PartMissing, Record
from mail.message import digest
from mail.segments import split
from projections.consumer import always
from projections.search.letters import Letters
from projections.search.ports import SearchReader
from projections.search.sqlite import SqliteSearchProjection
from projections.search.sqlite_reader import SqliteSearchReader
from schemas import mailbox_events as e
from schemas.events import Received
from schemas.identity import derived, message_id
from schemas.parts import Placement, ReceivedSecret
from schemas.seal import seal
from schemas.topics import MAIL_RECEIVED
from streams.inbound.digest import to_record
from tests.fakes import FINGERPRINT, FakeKeys

_START = 1_600_000_000_000_000
_MINUTE = 60_000_000
_BOX = derived("mailbox", "0")
_KEY = b"k" * 32
_VOCABULARY = 60_000
_SYLLABLES = (
    "ba", "co", "di", "fu", "gel", "han", "ir", "jo", "kum", "lan", "mer", "nov", "or", "pel",
    "qui", "ras", "sol", "tu", "ven", "wis", "yor", "zan",
)  # fmt: skip
_WORDS = 900
"""Words of a text: with its header a mail has about 7 kB."""
_CHUNK = 1500


def vocabulary() -> list[str]:
    """Return words of one to five syllables, each once."""
    rng = random.Random(3)
    found: dict[str, None] = {}
    while len(found) < _VOCABULARY:
        found["".join(rng.choices(_SYLLABLES, k=1 + int(rng.random() ** 2 * 5)))] = None
        if len(found) % 97 == 0:
            found[f"{rng.randrange(100_000)}"] = None
    return list(found)


class Mails:
    """Mails by number, the same at each call."""

    def __init__(self) -> None:
        self.words = vocabulary()
        self._bounds = list(accumulate(1 / (n + 2) for n in range(len(self.words))))

    def text(self, rng: random.Random, count: int) -> list[str]:
        total, bounds, words = self._bounds[-1], self._bounds, self.words
        return [words[bisect(bounds, rng.random() * total)] for _ in range(count)]

    def raw(self, n: int) -> bytes:
        """Return the mail of that number."""
        rng = random.Random(n)
        lines = self.text(rng, rng.randrange(_WORDS // 3, _WORDS * 5 // 3))
        body = "\r\n".join(" ".join(lines[i : i + 12]) + "." for i in range(0, len(lines), 12))
        # Half of the mail is of twenty people, the rest of ten thousand.
        who = rng.randrange(20) if rng.random() < 0.5 else rng.randrange(10_000)
        return (
            f"From: {self.words[who + 40].title()} Person <p{who}@host{who % 300}.example>\r\n"
            f"To: demo@example.test\r\nSubject: {' '.join(lines[3:9])}\r\n"
            f"Message-ID: <{n}@example.test>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
            f"{body}\r\n"
        ).encode()


class Contents:
    """A content store that makes what it is asked for."""

    def __init__(self, mails: Mails) -> None:
        self._mails = mails
        self.numbers: dict[str, int] = {}
        self.spent = 0.0
        """Seconds of CPU that went into making mails, which the fold is not to blame for."""

    def put(self, contents: Mapping[str, Content]) -> Mapping[str, Content]:
        return contents

    def get(self, mail_ids: Sequence[str]) -> Mapping[str, Content]:
        began = time.process_time()
        made = {m: self._content(m) for m in mail_ids}
        self.spent += time.process_time() - began
        return made

    def _content(self, mail_id: str) -> Content:
        raw = self._mails.raw(self.numbers[mail_id])
        secret = ReceivedSecret(
            client_address="",
            client_name="",
            helo="",
            reverse_path="",
            forward_paths=[],
            skeleton=split(raw).skeleton,
        )
        event_id = derived("received", mail_id)
        out = Output.of(
            Received(
                event_id=event_id,
                mail_id=mail_id,
                occurred_at=_START,
                source="smtp",
                size=len(raw),
                received_at=_START,
                internal_date=_START,
                mailboxes=[_BOX],
                raw_hmac=b"",
                reverse_path_hmac=b"",
                sealed=seal(secret, _KEY, event_id, random.randbytes),
            )
        )
        record = Record(MAIL_RECEIVED, 0, 0, out.key, out.type, out.event_id, 0, out.value)
        return Content(record, b"", b"", b"")


class NoParts:
    """A parts store that nothing is in."""

    def put(self, mail_id: str, parts: Mapping[bytes, bytes]) -> None:
        return None

    def get(self, name: bytes) -> bytes:
        raise PartMissing(name.hex())


class OneKey(FakeKeys):
    """One key for all."""

    def get(self, identifiers: Sequence[str]) -> Mapping[str, bytes]:
        return dict.fromkeys(identifiers, _KEY)


def deliveries(messages: int, mails: Mails, contents: Contents) -> Iterator[e.MailboxEvent]:
    """Yield the deliveries; one in five is in a label of its own, one in ten unread."""
    rng = random.Random(1)
    now = _START
    for n in range(messages):
        mail_id = derived("mail", str(n))
        contents.numbers[mail_id] = n
        identity = message_id(_BOX, mail_id)
        event_id = derived("event", str(n))
        raw = mails.raw(n)
        now += rng.randrange(2 * _MINUTE)
        labels = [
            "INBOX",
            "ALL",
            *(["work"] if n % 5 == 0 else []),
            *(["rare"] if n % 5000 == 7 else []),
        ]
        yield e.Delivered(
            event_id=event_id,
            mailbox_id=_BOX,
            seq=n + 1,
            occurred_at=now,
            recorded_at=now,
            caused_by=mail_id,
            message_id=identity,
            mail_id=mail_id,
            thread_id=mail_id,
            placements=[Placement(label=x, uid=n + 1) for x in labels],
            flags=[] if n % 10 == 0 else ["seen"],
            size=len(raw),
            received_at=now,
            internal_date=now,
            attachment_count=0,
            raw_hmac=b"",
            reverse_path_hmac=b"",
            sealed=seal(to_record(digest(raw)), _KEY, event_id, random.randbytes),
        )


def records(events: Iterator[e.MailboxEvent]) -> Iterator[Record]:
    """Yield events as a log hands them out."""
    for offset, event in enumerate(events):
        out = Output.of(event)
        yield Record(
            out.topic, 0, offset, out.key, out.type, out.event_id, event.recorded_at, out.value
        )


def queries(mails: Mails, messages: int) -> dict[str, list[str]]:
    """Return queries of each row of the targets, common and rare ones."""
    rng = random.Random(2)
    words = mails.words

    def some(low: int, high: int, count: int = 40) -> list[str]:
        return [words[rng.randrange(low, high)] for _ in range(count)]

    def pairs(low: int, high: int) -> list[tuple[str, str]]:
        return list(zip(some(low, high), some(low, high), strict=True))

    phrases: list[str] = []
    for _ in range(40):
        body = mails.raw(rng.randrange(messages)).decode().partition("\r\n\r\n")[2].split()
        at = rng.randrange(len(body) - 3)
        phrases.append('"' + " ".join(body[at : at + 2 + rng.randrange(2)]).replace(".", "") + '"')
    days = messages // 1440

    def day(n: int) -> str:
        moment = time.gmtime(_START // 1_000_000 + n * 86400)
        return time.strftime("%Y/%m/%d", moment)

    ranges = [rng.randrange(max(1, days - 31)) for _ in range(40)]
    return {
        "term, the commonest": words[:40],
        "term, common": some(40, 2000),
        "term, rare": some(5000, 60_000),
        "two terms": [f"{a} {b}" for a, b in pairs(20, 5000)],
        "phrase that stands somewhere": phrases,
        "phrase of common words": [
            f'"{a} {b}"' for a, b in zip(some(0, 60), some(0, 60), strict=True)
        ],
        "from: a name": [f"from:{words[n + 40]}" for n in range(0, 40)],
        "from: an address": [f"from:p{n}@host{n % 300}.example" for n in range(0, 4000, 100)],
        "date range": [f"after:{day(n)} before:{day(n + 30)}" for n in ranges],
        "term in a date range": [
            f"{w} after:{day(n)} before:{day(n + 30)}"
            for n, w in zip(ranges, some(0, 500), strict=True)
        ],
        "label": ["label:work", "label:rare", "in:inbox", "is:unread"],
        "term in a label": [f"{w} label:work" for w in some(0, 2000)],
        "term in a rare label": [f"{w} label:rare" for w in some(0, 500)],
        "prefix": [f"{w[:n]}*" for w in some(50, 5000, 20) for n in (2, 4)],
        "prefix, long": [f"{w}*" for w in some(500, 60_000)],
        "either of two": [
            f"{a} OR {b}" for a, b in zip(some(100, 5000), some(100, 5000), strict=True)
        ],
        "all but": [f"{a} -{b}" for a, b in pairs(20, 500)],
    }


def measure(reader: SearchReader, asked: Sequence[str], repeats: int, **more: bool) -> list[float]:
    """Return the sorted times of queries in milliseconds."""
    taken: list[float] = []
    for _ in range(repeats):
        for query in asked:
            started = time.perf_counter()
            reader.search(_BOX, query, **more)
            taken.append((time.perf_counter() - started) * 1000)
    return sorted(taken)


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    mails = Mails()
    contents, keys = Contents(mails), OneKey()
    letters = Letters(contents, keys, NoParts(), FINGERPRINT)
    print(f"{messages:,} messages; {platform.machine()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "search.db"
        projection = SqliteSearchProjection(path, keys, letters)
        source = records(deliveries(messages, mails, contents))
        processor = wall = 0.0
        size = count = 0
        while chunk := list(islice(source, _CHUNK)):
            size += sum(len(mails.raw(n)) for n in range(count, count + len(chunk), 50)) * 50
            count += len(chunk)
            began, cpu = time.perf_counter(), time.process_time()
            projection.apply(chunk, always)
            wall += time.perf_counter() - began
            processor += time.process_time() - cpu
        processor, wall = processor - contents.spent, wall - contents.spent
        each = processor / messages * 1000
        print(f"fold: {each:.2f} ms of CPU a message, {messages / wall:,.0f}/s")
        file = path.stat().st_size
        print(f"file: {file / messages:,.0f} octets a message, {file / size:.2f} of the mail")
        reader = SqliteSearchReader(lambda: path, letters, lambda: _START + messages * _MINUTE)
        for name, asked in queries(mails, messages).items():
            times = measure(reader, asked, max(1, 120 // len(asked)), excerpts=False)
            p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
            print(f"{name:30} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms")
        reader.close()
        started = time.perf_counter()
        projection.scrub()
        seconds = time.perf_counter() - started
        print(f"scrub: {seconds:.1f} s; file {path.stat().st_size / size:.2f} of the mail")
        projection.close()


if __name__ == "__main__":
    main()
