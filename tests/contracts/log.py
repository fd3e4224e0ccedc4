"""What every event log does, whatever engine holds it.

An adapter's test module makes a subclass with a fixture `log` that gives an empty log, and
`reopen`, that gives a second one on the same storage. Engines may have several partitions and gaps
between offsets, so order is asked of a key and never of a topic.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress

import pytest

from infra.ports import EventLog, LogTransaction, Output, Position, Record, TransactionalLog
from schemas.identity import derived, timed
from schemas.topics import (
    MAIL_RECEIVED,
    MAIL_SCORED,
    MAILBOX_COMMANDS,
    MAILBOX_EVENTS,
)

WAIT = 30.0
"""Seconds until a test gives up on an engine; none depends on how long it takes."""


def mail_id(n: int) -> str:
    return timed(1_700_000_000_000_000 + n, n.to_bytes(10, "big"))


def output(topic: str, key: str, n: int, size: int = 0) -> Output:
    kind = "Received" if topic == MAIL_RECEIVED else "Labelled"
    return Output(topic, key, kind, derived("event", topic, str(n)), b"value %d" % n + b"x" * size)


def read(log: EventLog, topic: str, count: int, position: Position | None = None) -> list[Record]:
    """Read `count` records, however many polls that takes."""
    reader = log.reader(topic, position or {})
    found: list[Record] = []
    until = time.monotonic() + WAIT
    try:
        while len(found) < count and time.monotonic() < until:
            found += reader.poll(count - len(found), 1.0)
    finally:
        reader.close()
    return found


def read_rest(log: EventLog, topic: str, position: Position) -> list[Record]:
    """Read from a position up to the end, as the log states it."""
    reader = log.reader(topic, position)
    end = log.end(topic)
    found: list[Record] = []
    until = time.monotonic() + WAIT
    try:
        while any(reader.position.get(p, 0) < o for p, o in end.items()):
            assert time.monotonic() < until, "the reader does not come to the end"
            found += reader.poll(100, 0.2)
    finally:
        reader.close()
    return found


def values_by_key(records: Iterable[Record | Output]) -> dict[str, list[bytes]]:
    found: defaultdict[str, list[bytes]] = defaultdict(list)
    for r in records:
        found[r.key].append(r.value)
    return dict(found)


def after(position: Position, records: Sequence[Record]) -> Position:
    """Return the position behind these records."""
    moved = dict(position)
    for r in records:
        moved[r.partition] = max(moved.get(r.partition, 0), r.offset + 1)
    return moved


class EventLogContract:
    """Port EventLog."""

    @pytest.fixture
    def log(self) -> EventLog:
        raise AssertionError("the adapter's test gives the log")

    @pytest.fixture
    def reopen(self) -> Callable[[], EventLog]:
        raise AssertionError("the adapter's test gives a second log on the same storage")

    def test_what_is_appended_is_read_as_it_was(self, log: EventLog) -> None:
        given = output(MAILBOX_EVENTS, derived("mailbox"), 1)
        log.append([given])
        (record,) = read(log, MAILBOX_EVENTS, 1)
        assert Output(record.topic, record.key, record.type, record.event_id, record.value) == given

    def test_records_of_a_key_keep_their_order(self, log: EventLog) -> None:
        keys = [derived("mailbox", str(n)) for n in range(7)]
        given = [output(MAILBOX_EVENTS, keys[n % 7], n) for n in range(70)]
        for n in range(0, 70, 10):
            log.append(given[n : n + 10])
        assert values_by_key(read(log, MAILBOX_EVENTS, 70)) == values_by_key(given)

    def test_offsets_of_a_partition_ascend(self, log: EventLog) -> None:
        log.append([output(MAILBOX_EVENTS, derived("mailbox", str(n)), n) for n in range(40)])
        seen: defaultdict[int, list[int]] = defaultdict(list)
        for r in read(log, MAILBOX_EVENTS, 40):
            seen[r.partition].append(r.offset)
        assert all(offsets == sorted(set(offsets)) for offsets in seen.values())

    def test_a_key_has_one_partition(self, log: EventLog) -> None:
        log.append([output(MAILBOX_EVENTS, derived("mailbox", str(n % 5)), n) for n in range(40)])
        partitions: defaultdict[str, set[int]] = defaultdict(set)
        for r in read(log, MAILBOX_EVENTS, 40):
            partitions[r.key].add(r.partition)
        assert all(len(p) == 1 for p in partitions.values())

    def test_topics_are_apart(self, log: EventLog) -> None:
        log.append([output(MAIL_RECEIVED, mail_id(1), 1), output(MAIL_SCORED, mail_id(1), 2)])
        assert [r.value for r in read_rest(log, MAIL_RECEIVED, {})] == [b"value 1"]
        assert [r.value for r in read_rest(log, MAIL_SCORED, {})] == [b"value 2"]

    def test_appending_nothing_is_nothing(self, log: EventLog) -> None:
        before = log.end(MAIL_RECEIVED)
        log.append([])
        assert log.end(MAIL_RECEIVED) == before

    @pytest.mark.parametrize("size", [0, 1, 5_000, 20_000, 400_000])
    def test_values_of_any_size_come_back(self, log: EventLog, size: int) -> None:
        given = output(MAIL_RECEIVED, mail_id(1), 1, size)
        log.append([given])
        assert read(log, MAIL_RECEIVED, 1)[0].value == given.value

    def test_a_key_that_is_no_identifier_comes_back(self, log: EventLog) -> None:
        given = ["plain", "", "ÄÖ", "6D61696C-666F-4C64-8A00-A000000001D5", "x" * 36]
        log.append([output(MAILBOX_EVENTS, key, n) for n, key in enumerate(given)])
        assert sorted(r.key for r in read(log, MAILBOX_EVENTS, 5)) == sorted(given)

    # -- reading

    def test_a_poll_gives_at_most_its_limit(self, log: EventLog) -> None:
        log.append([output(MAIL_RECEIVED, mail_id(n), n) for n in range(10)])
        reader = log.reader(MAIL_RECEIVED, {})
        found: list[Record] = []
        until = time.monotonic() + WAIT
        while len(found) < 10 and time.monotonic() < until:
            some = reader.poll(3, 1.0)
            assert len(some) <= 3
            found += some
        reader.close()
        assert sorted(r.value for r in found) == sorted(b"value %d" % n for n in range(10))

    def test_an_empty_topic_gives_nothing(self, log: EventLog) -> None:
        reader = log.reader(MAIL_RECEIVED, {})
        assert list(reader.poll(10, 0.0)) == []
        assert list(reader.poll(10, 0.05)) == []
        reader.close()

    def test_a_reader_goes_on_from_its_position(self, log: EventLog) -> None:
        log.append([output(MAIL_RECEIVED, mail_id(n), n) for n in range(20)])
        first = read(log, MAIL_RECEIVED, 8)
        reader = log.reader(MAIL_RECEIVED, after({}, first))
        assert reader.position == after({}, first) or set(reader.position) >= {
            r.partition for r in first
        }
        reader.close()
        rest = read_rest(log, MAIL_RECEIVED, after({}, first))
        assert sorted(r.value for r in [*first, *rest]) == sorted(
            b"value %d" % n for n in range(20)
        )

    def test_the_position_of_a_reader_is_behind_what_it_gave(self, log: EventLog) -> None:
        log.append([output(MAIL_RECEIVED, mail_id(n), n) for n in range(12)])
        reader = log.reader(MAIL_RECEIVED, {})
        found: list[Record] = []
        until = time.monotonic() + WAIT
        while len(found) < 12 and time.monotonic() < until:
            found += reader.poll(5, 1.0)
            behind = after({}, found)
            assert all(reader.position.get(p, 0) >= o for p, o in behind.items())
        position = reader.position
        reader.close()
        log.append([output(MAIL_RECEIVED, mail_id(12), 12)])
        assert [r.value for r in read(log, MAIL_RECEIVED, 1, position)] == [b"value 12"]

    def test_a_reader_sees_what_is_appended_later(self, log: EventLog) -> None:
        reader = log.reader(MAIL_RECEIVED, {})
        assert list(reader.poll(10, 0.0)) == []
        log.append([output(MAIL_RECEIVED, mail_id(1), 1)])
        found: Sequence[Record] = ()
        until = time.monotonic() + WAIT
        while not found and time.monotonic() < until:
            found = reader.poll(10, 1.0)
        reader.close()
        assert [r.value for r in found] == [b"value 1"]

    def test_a_waiting_reader_is_woken(self, log: EventLog, reopen: Callable[[], EventLog]) -> None:
        reader = log.reader(MAIL_RECEIVED, {})
        found: list[Record] = []
        thread = threading.Thread(target=lambda: found.extend(reader.poll(10, WAIT)))
        thread.start()
        reopen().append([output(MAIL_RECEIVED, mail_id(1), 1)])
        thread.join(WAIT / 2)
        woken = not thread.is_alive()
        thread.join()
        reader.close()
        assert woken
        assert [r.value for r in found] == [b"value 1"]

    # -- places

    def test_begin_and_end_of_an_empty_topic_are_the_same_place(self, log: EventLog) -> None:
        begin, end = log.begin(MAIL_RECEIVED), log.end(MAIL_RECEIVED)
        assert all(begin.get(p, 0) == end.get(p, 0) for p in {*begin, *end})

    def test_nothing_is_behind_the_end(self, log: EventLog) -> None:
        log.append([output(MAIL_RECEIVED, mail_id(n), n) for n in range(5)])
        end = log.end(MAIL_RECEIVED)
        assert read_rest(log, MAIL_RECEIVED, end) == []
        log.append([output(MAIL_RECEIVED, mail_id(9), 9)])
        assert [r.value for r in read_rest(log, MAIL_RECEIVED, end)] == [b"value 9"]

    def test_everything_is_behind_the_begin(self, log: EventLog) -> None:
        log.append([output(MAIL_RECEIVED, mail_id(n), n) for n in range(5)])
        assert len(read_rest(log, MAIL_RECEIVED, log.begin(MAIL_RECEIVED))) == 5

    def test_times_given_by_the_log_never_run_backwards(self, log: EventLog) -> None:
        key = derived("mailbox")
        for n in range(5):
            log.append([output(MAILBOX_EVENTS, key, n)])
        times = [r.recorded_at for r in read(log, MAILBOX_EVENTS, 5)]
        assert times == sorted(times)

    def test_a_time_finds_the_first_record_not_older(self, log: EventLog) -> None:
        for n in range(6):
            log.append([output(MAIL_RECEIVED, mail_id(n), n)])
            time.sleep(0.003)
        records = read(log, MAIL_RECEIVED, 6)
        for asked in [0, *(r.recorded_at for r in records), records[-1].recorded_at + 60_000_000]:
            found = read_rest(log, MAIL_RECEIVED, log.position_at(MAIL_RECEIVED, asked))
            # Kafka keeps milliseconds.
            expected = {r.value for r in records if r.recorded_at >= asked}
            assert expected == {r.value for r in found}

    # -- finding

    def test_all_records_of_a_mail_are_found(self, log: EventLog) -> None:
        log.append([output(MAIL_SCORED, mail_id(n % 3), n) for n in range(9)])
        found = log.find(MAIL_SCORED, mail_id(1))
        assert [r.value for r in found] == [b"value 1", b"value 4", b"value 7"]

    def test_a_mail_that_is_not_there_is_not_found(self, log: EventLog) -> None:
        log.append([output(MAIL_SCORED, mail_id(1), 1)])
        assert list(log.find(MAIL_SCORED, mail_id(2))) == []

    # -- durability

    def test_what_was_appended_is_there_for_another(
        self, log: EventLog, reopen: Callable[[], EventLog]
    ) -> None:
        log.append([output(MAIL_RECEIVED, mail_id(n), n) for n in range(3)])
        assert len(read(reopen(), MAIL_RECEIVED, 3)) == 3

    def test_a_group_that_never_was_here_is_at_the_start(self, log: EventLog) -> None:
        assert all(o == 0 for o in log.committed("nobody", MAIL_RECEIVED).values())

    def test_what_is_trimmed_is_gone_and_the_rest_stays(self, log: EventLog) -> None:
        key = derived("mailbox")
        log.append([output(MAILBOX_COMMANDS, key, n) for n in range(5)])
        third = read(log, MAILBOX_COMMANDS, 5)[2]
        log.trim(MAILBOX_COMMANDS, {third.partition: third.offset})
        assert log.begin(MAILBOX_COMMANDS)[third.partition] == third.offset
        left = read_rest(log, MAILBOX_COMMANDS, log.begin(MAILBOX_COMMANDS))
        assert [r.value for r in left] == [b"value 2", b"value 3", b"value 4"]

    def test_trimming_below_what_is_kept_does_nothing(self, log: EventLog) -> None:
        begin = log.begin(MAILBOX_COMMANDS)
        log.trim(MAILBOX_COMMANDS, begin)
        assert log.begin(MAILBOX_COMMANDS) == begin


class Stop(Exception):
    """Raised by a test within a transaction."""


@contextmanager
def undone(log: TransactionalLog) -> Generator[LogTransaction]:
    """A transaction that fails after all."""
    with suppress(Stop), log.transaction() as tx:
        yield tx
        raise Stop


class TransactionalLogContract(EventLogContract):
    """Port TransactionalLog."""

    @pytest.fixture
    def log(self) -> TransactionalLog:
        raise AssertionError("the adapter's test gives the log")

    def test_outputs_and_position_are_there_together(self, log: TransactionalLog) -> None:
        with log.transaction() as tx:
            tx.append([output(MAILBOX_COMMANDS, derived("mailbox"), 1)])
            tx.commit_position("group", MAIL_RECEIVED, {0: 7})
        assert len(read_rest(log, MAILBOX_COMMANDS, {})) == 1
        assert log.committed("group", MAIL_RECEIVED) == {0: 7}

    def test_it_says_which_of_many_mails_it_has(self, log: TransactionalLog) -> None:
        log.append([output(MAIL_RECEIVED, mail_id(n), n) for n in (1, 2, 2)])
        asked = [mail_id(n) for n in range(1_200)]
        assert log.having(MAIL_RECEIVED, asked) == {mail_id(1), mail_id(2)}
        assert log.having(MAIL_RECEIVED, []) == frozenset()

    def test_a_transaction_that_fails_leaves_nothing(self, log: TransactionalLog) -> None:
        with undone(log) as tx:
            tx.append([output(MAILBOX_COMMANDS, derived("mailbox"), 1)])
            tx.commit_position("group", MAIL_RECEIVED, {0: 7})
        assert read_rest(log, MAILBOX_COMMANDS, {}) == []
        assert log.committed("group", MAIL_RECEIVED) == {}

    def test_nobody_reads_what_is_not_committed(self, log: TransactionalLog) -> None:
        reader = log.reader(MAILBOX_COMMANDS, {})
        with log.transaction() as tx:
            tx.append([output(MAILBOX_COMMANDS, derived("mailbox"), 1)])
            assert list(reader.poll(10, 0.0)) == []
        assert len(reader.poll(10, 0.0)) == 1
        reader.close()

    def test_appends_of_one_transaction_keep_their_order(self, log: TransactionalLog) -> None:
        key = derived("mailbox")
        with log.transaction() as tx:
            for n in range(5):
                tx.append([output(MAILBOX_EVENTS, key, n)])
        assert [r.value for r in read(log, MAILBOX_EVENTS, 5)] == [
            b"value %d" % n for n in range(5)
        ]

    def test_a_later_position_takes_the_place_of_an_earlier(self, log: TransactionalLog) -> None:
        for n in (1, 5, 3):
            with log.transaction() as tx:
                tx.commit_position("group", MAIL_RECEIVED, {0: n})
        assert log.committed("group", MAIL_RECEIVED) == {0: 3}

    def test_groups_and_topics_have_positions_of_their_own(self, log: TransactionalLog) -> None:
        with log.transaction() as tx:
            tx.commit_position("a", MAIL_RECEIVED, {0: 1})
            tx.commit_position("b", MAIL_RECEIVED, {0: 2})
            tx.commit_position("a", MAIL_SCORED, {0: 3})
        assert log.committed("a", MAIL_RECEIVED) == {0: 1}
        assert log.committed("b", MAIL_RECEIVED) == {0: 2}
        assert log.committed("a", MAIL_SCORED) == {0: 3}

    def test_positions_are_there_for_another(
        self, log: TransactionalLog, reopen: Callable[[], EventLog]
    ) -> None:
        with log.transaction() as tx:
            tx.commit_position("a", MAIL_RECEIVED, {0: 1})
        assert reopen().committed("a", MAIL_RECEIVED) == {0: 1}
