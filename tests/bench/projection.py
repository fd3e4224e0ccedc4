"""How fast the mailbox projection folds and lists: `python -m tests.bench.projection [MESSAGES]`.

Records lie ready in memory, so what is measured is decoding, opening seals, folding and writing.
"""

from __future__ import annotations

import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from infra.ports import Output, Record
from projections.consumer import always
from projections.mailbox.ports import MailboxReader
from projections.mailbox.sqlite import SqliteMailboxProjection
from projections.mailbox.sqlite_reader import SqliteMailboxReader
from projections.verify import compare
from schemas import mailbox_events as e
from schemas.identity import derived, message_id
from schemas.parts import Digest, Mailbox, Placement
from schemas.seal import seal
from tests.fakes import FakeKeys

_START = 1_700_000_000_000_000
_MAILBOXES = 4
_CHUNK = 20_000
_TRACE = (
    b"Return-Path: <ann@example.test>\r\n"
    b"Authentication-Results: mx.example.test; spf=pass smtp.mailfrom=example.test;\r\n"
    b" dkim=pass header.d=example.test; dmarc=pass header.from=example.test\r\n"
    b"Received: from a.example.test by mx.example.test with ESMTPS id 1; Mon, 1 Jan 2024\r\n"
)


def deliveries(messages: int, keys: dict[str, bytes]) -> Iterator[e.MailboxEvent]:
    """Yield the three events of each delivery; one message in ten is read afterwards.

    The first mailbox gets nine messages of ten, so that there is a large one.
    """
    rng = random.Random(1)
    boxes = [derived("mailbox", str(n)) for n in range(_MAILBOXES)]
    seqs = dict.fromkeys(boxes, 0)

    def head(box: str, now: int) -> dict[str, Any]:
        seqs[box] += 1
        return {
            "event_id": derived("event", box, str(seqs[box])),
            "mailbox_id": box,
            "seq": seqs[box],
            "occurred_at": now,
            "recorded_at": now,
            "caused_by": derived("command", box, str(seqs[box])),
            "actor": "mx",
        }

    for n in range(messages):
        box = boxes[0] if n % 10 else boxes[1 + n // 10 % (_MAILBOXES - 1)]
        now = _START + n * 1_000_000
        if seqs[box] == 0:
            yield e.MailboxOpened(**head(box, now))
        mail = derived("mail", str(n))
        ids: dict[str, Any] = {"message_id": message_id(box, mail), "mail_id": mail}
        thread = derived("thread", box, str(n // 3))
        labels = ["INBOX", "ALL"] if n % 7 else ["SPAM"]
        yield e.Threaded(
            **head(box, now),
            **ids,
            thread_id=thread,
            by="references",
            message_hash=rng.randbytes(16),
            reference_hashes=[rng.randbytes(16), rng.randbytes(16)],
            subject_hash=rng.randbytes(16),
            participant_hashes=[rng.randbytes(16) for _ in range(3)],
            dated=now,
        )
        yield e.Labelled(
            **head(box, now), **ids, labels_added=labels, unread_changed=1, by="delivery"
        )
        uid = seqs[box]
        last = head(box, now)
        digest = Digest(
            author=[Mailbox(name="Ann Example", address=f"ann{n % 500}@example.test")],
            to=[Mailbox(name="", address="demo@example.test")],
            subject=f"The {n}th message about a subject of usual length",
            date=now,
            message_id_header=f"<{n}.1234567890@example.test>",
            references=[f"<{n // 3}.a@example.test>"],
            snippet="The first words of a text, up to two hundred characters of it. " * 3,
            trace=_TRACE,
        )
        key = keys[ids["message_id"]] = rng.randbytes(32)
        yield e.Delivered(
            **last,
            **ids,
            thread_id=thread,
            authenticated_id=derived("authenticated", mail),
            scored_id=derived("scored", mail),
            verdict="ham",
            source="smtp",
            placements=[Placement(label=label, uid=uid) for label in labels],
            size=10_000,
            received_at=now,
            internal_date=now,
            attachment_count=0,
            raw_hmac=rng.randbytes(32),
            reverse_path_hmac=rng.randbytes(16),
            sealed=seal(digest, key, last["event_id"], rng.randbytes),
        )
        if n % 10 == 3:
            yield e.Labelled(
                **head(box, now), **ids, flags_added=["seen"], unread_changed=-1, by="user"
            )


def records(messages: int, keys: dict[str, bytes]) -> Iterator[Record]:
    """Yield the deliveries as a log hands them out."""
    for offset, event in enumerate(deliveries(messages, keys)):
        out = Output.of(event)
        yield Record(
            out.topic, 0, offset, out.key, out.type, out.event_id, event.recorded_at, out.value
        )


def _fold(stores: Mapping[int, SqliteMailboxProjection], source: Iterator[Record]) -> None:
    """Fold the same records into each store by batches of its size, and print the rates."""
    taken = dict.fromkeys(stores, 0.0)
    count = 0
    while chunk := list(islice(source, _CHUNK)):
        count += len(chunk)
        for size, store in stores.items():
            started = time.perf_counter()
            for start in range(0, len(chunk), size):
                store.apply(chunk[start : start + size], always)
            taken[size] += time.perf_counter() - started
    for size, seconds in taken.items():
        print(f"fold, batches of {size:5}: {count / seconds:10,.0f} events/s ({count:,} events)")


def _times(call: Callable[[], object], repeats: int) -> Sequence[float]:
    found: list[float] = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        found.append((time.perf_counter() - started) * 1000)
    return sorted(found)


def _line(what: str, times: Sequence[float]) -> None:
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    print(f"{what:28} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms")


def _list(reader: MailboxReader, messages: int, repeats: int) -> None:
    box = derived("mailbox", "0")
    tokens: list[str | None] = [None]
    for _ in range(min(200, messages // 200)):
        page, _ = reader.list(box, page_token=tokens[-1])
        if page.next_token is None:
            break
        tokens.append(page.next_token)
    rng = random.Random(2)
    then = _START + messages * 1_000_000 // 2
    first = reader.list(box)[0].messages[0].message_id
    head = reader.head(box)
    _line("list 50", _times(lambda: reader.list(box), repeats))
    _line("list 50, INBOX", _times(lambda: reader.list(box, labels=["INBOX"]), repeats))
    _line("list 50, INBOX and ALL", _times(lambda: reader.list(box, labels=["INBOX", "ALL"]), 200))
    _line("list 50, spam too", _times(lambda: reader.list(box, include_spam=True), repeats))
    _line(
        "list 50, any page",
        _times(lambda: reader.list(box, page_token=rng.choice(tokens)), repeats),
    )
    _line("list 50, a minute ago", _times(lambda: reader.list(box, at=then * 2 - _START), 200))
    _line("list 50, half way back", _times(lambda: reader.list(box, at=then), 20))
    _line("get", _times(lambda: reader.get(box, first), repeats))
    _line("history, last 100", _times(lambda: reader.history(box, head - 100), repeats))
    _line("labels", _times(lambda: reader.labels(box), repeats))


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    keys = FakeKeys()
    print(f"{messages:,} messages; {platform.machine()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        paths = {size: Path(folder) / f"views-{size}.db" for size in (500, 2000)}
        stores = {size: SqliteMailboxProjection(path, keys) for size, path in paths.items()}
        _fold(stores, records(messages, keys.keys))
        stores[500].scrub()
        print(f"file: {paths[500].stat().st_size / messages:,.0f} octets a message")
        reader = SqliteMailboxReader(lambda: paths[500])
        _list(reader, messages, 1000)
        started = time.perf_counter()
        difference = compare(stores[500], stores[2000])
        seconds = time.perf_counter() - started
        print(f"verify: {seconds:.1f} s to compare; differences: {difference}")
        reader.close()
        for store in stores.values():
            store.close()


if __name__ == "__main__":
    main()
