"""How fast contacts are found: `python -m tests.bench.contacts [CONTACTS]`."""

from __future__ import annotations

import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from projections.consumer import always
from projections.contacts.sqlite import SqliteContacts
from projections.contacts.sqlite_reader import SqliteContactReader
from schemas import mailbox_events as e
from schemas.identity import derived, message_id
from schemas.parts import Digest, Mailbox, Placement
from schemas.seal import seal
from tests.fakes import FakeKeys
from tests.histories import as_records

BOX = derived("mailbox", "contacts")
_START = 1_700_000_000_000_000
_SYLLABLES = [f"{a}{b}" for a in "bcdfghjklmnprstvw" for b in ("a", "e", "i", "o", "ur")]


def _name(rng: random.Random) -> str:
    return "".join(rng.choices(_SYLLABLES, k=rng.randint(1, 3))).capitalize()


def people(contacts: int) -> list[Mailbox]:
    """Return that many people; half of them in a few large domains."""
    rng = random.Random(1)
    found: list[Mailbox] = []
    for n in range(contacts):
        first, last = _name(rng), _name(rng)
        large = rng.random() < 0.5
        domain = f"big{rng.randrange(5)}.example.test" if large else f"{_name(rng).lower()}{n}.test"
        found.append(Mailbox(name=f"{first} {last}", address=f"{first}.{last}{n}@{domain}".lower()))
    return found


def deliveries(contacts: int, keys: FakeKeys) -> Iterator[e.MailboxEvent]:
    """Yield deliveries of mail from each of the people, some of them often."""
    rng = random.Random(2)
    everybody = people(contacts)
    senders = [*everybody, *rng.choices(everybody[: contacts // 10], k=contacts // 2)]
    rng.shuffle(senders)
    for n, sender in enumerate(senders):
        mail_id = derived("mail", str(n))
        message = message_id(BOX, mail_id)
        now = _START + n * 60_000_000
        event_id = derived("event", str(n))
        digest = Digest(author=[sender], subject="s", snippet="t")
        rest: dict[str, Any] = {"raw_hmac": b"r" * 32, "reverse_path_hmac": b"p" * 16}
        yield e.Delivered(
            event_id=event_id,
            mailbox_id=BOX,
            seq=n + 1,
            occurred_at=now,
            recorded_at=now,
            caused_by=event_id,
            message_id=message,
            mail_id=mail_id,
            thread_id=derived("thread", str(n)),
            placements=[Placement(label="INBOX", uid=n + 1)],
            size=100,
            received_at=now,
            internal_date=now,
            attachment_count=0,
            sealed=seal(digest, keys.ensure([message])[message], event_id),
            **rest,
        )


def _percentiles(times: list[float]) -> tuple[float, float]:
    times = sorted(times)
    return times[len(times) // 2], times[len(times) * 99 // 100]


def contacts(count: int) -> Iterator[dict[str, Any]]:
    """Yield how fast a fold makes so many contacts, and how fast they are found."""
    keys = FakeKeys()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "contacts.db"
        store = SqliteContacts(path, keys)
        records = as_records(list(deliveries(count, keys)))
        started = time.perf_counter()
        for start in range(0, len(records), 500):
            store.apply(records[start : start + 500], always)
        seconds = time.perf_counter() - started
        yield {
            "row": f"fold of contacts, {count}",
            "unit": "events/s",
            "value": round(len(records) / seconds),
        }
        store.scrub()
        reader = SqliteContactReader(lambda: path)
        rng = random.Random(3)
        everybody = people(count)
        kinds: dict[str, Callable[[Mailbox], str]] = {
            "1 letter": lambda p: p.address[:1],
            "2 letters": lambda p: p.address[:2],
            "4 letters": lambda p: p.address[:4],
            "last name": lambda p: p.name.split()[1][:5],
            "domain": lambda p: p.address.partition("@")[2][:8],
            "two words": lambda p: f"{p.name.split()[0][:2]} {p.name.split()[1][:2]}",
            "a letter and a word": lambda p: f"{p.name[:1]} {p.name.split()[1][:4]}",
            "three words": lambda p: f"{p.name.split()[0][:2]} {p.name.split()[1][:2]} big",
            "name and domain": lambda p: f"{p.name[:3]} {p.address.partition('@')[2][:6]}",
            "nobody": lambda p: "zq" + p.address[:3],
            "nothing typed": lambda p: "",
        }
        for kind, ask in kinds.items():
            times: list[float] = []
            cpu: list[float] = []
            for _ in range(400):
                query = ask(rng.choice(everybody))
                started, busy = time.perf_counter(), time.thread_time()
                reader.find(BOX, query)
                times.append((time.perf_counter() - started) * 1000)
                cpu.append((time.thread_time() - busy) * 1000)
            (p50, p99), (_, busy99) = _percentiles(times), _percentiles(cpu)
            yield {
                "row": f"contacts, {kind}, {count}, p50 · p99",
                "unit": "ms",
                "value": round(p50, 2),
                "p99": round(p99, 2),
                "CPU p99": round(busy99, 2),
            }
        reader.close()
        store.close()


def main() -> None:
    print(f"{platform.machine()}, Python {platform.python_version()}")
    for row in contacts(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000):
        more = {k: v for k, v in row.items() if k not in ("row", "value", "unit")}
        print(f"{row['row']:<58} {row['value']!s:>10} {row['unit']:<12} {more or ''}", flush=True)


if __name__ == "__main__":
    main()
