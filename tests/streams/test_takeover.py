"""Whatever happens to a runner between outputs and position, log and letters come out right.

Commands of a few keys go through a host that is killed, fenced, or loses its state, at any point;
in the end the outputs, what is known of each command, and the dead letters are those of a run in
which nothing happened.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from infra.ports import Fenced, Record
from infra.sqlite.connection import VIEWS
from infra.sqlite.dead import SqliteDeadLetters
from infra.sqlite.file import SqliteFile
from infra.sqlite.progress import SqliteProgress
from schemas.codec import decode_as
from schemas.commands import DeleteLabel
from schemas.identity import derived
from schemas.partition import partition_of
from schemas.topics import MAILBOX_COMMANDS, MAILBOX_EVENTS
from streams.runners.partition_host import PartitionHost, next_position
from tests.contracts.runners import Killed
from tests.contracts.toy_sqlite import SqliteToyState
from tests.contracts.toy_stage import ToyStage, command, key_of, seen
from tests.streams.memory_partitions import MemoryPartitions

PARTITIONS = 2
POINTS = ("planned", "settled", "outputs", "state", "position", "committed")
KEYS = ("ann", "bob", "cy", "dan")
TABLES = ("toy", "dead_letter", "stage_progress")
GROUP = "mailbox"


class World:
    """A log, a state file, and one process after the other that serves them."""

    def __init__(self, folder: Path) -> None:
        self.log = MemoryPartitions(PARTITIONS)
        self.file = SqliteFile(folder / "state.db", VIEWS)
        self.dead = SqliteDeadLetters(self.file)
        self.healed = False
        self.kill_at = ""
        self.passes = 0
        self.kept: dict[str, list[tuple[object, ...]]] = {}
        self.start()
        self.keep()

    def start(self) -> None:
        """Be another process."""
        self.stage = ToyStage(SqliteToyState(self.file))
        self.stage.healed = self.healed
        self.progress = SqliteProgress(self.file, "")
        self.host = PartitionHost(
            self.stage, self.log, self.progress, self.dead, lambda: 1, self.checkpoint
        )

    def checkpoint(self, point: str) -> None:
        if point == f"mailbox.{self.kill_at}":
            if self.passes == 0:
                self.kill_at = ""
                raise Killed(point)
            self.passes -= 1

    # -- what becomes of the state file

    def keep(self) -> None:
        """Keep a copy of the state."""
        with self.file.read() as c:
            self.kept = {t: list(c.execute(f"select * from {t}")) for t in TABLES}

    def restore(self) -> None:
        """Put the copy in place of the state."""
        with self.file.write() as c:
            for table, rows in self.kept.items():
                c.execute(f"delete from {table}")
                for row in rows:
                    c.execute(f"insert into {table} values({','.join('?' * len(row))})", row)

    # -- what a runner does

    def unread(self, limit: int) -> list[Record]:
        committed = self.log.committed(GROUP, MAILBOX_COMMANDS)
        end = self.log.end(MAILBOX_COMMANDS)
        found: list[Record] = []
        for p, n in end.items():
            found += list(self.log.records(MAILBOX_COMMANDS, p, committed.get(p, 0), n))[:limit]
        return found

    def step(self, limit: int) -> bool:
        """Process some records; return whether there was nothing to do."""
        batch = self.unread(limit)
        self.host.hold(frozenset(range(PARTITIONS)))
        retried = self.host.retry()
        self.host.process(batch)
        self.log.commit(GROUP, MAILBOX_COMMANDS, next_position(batch))
        if batch:
            self.checkpoint("mailbox.committed")
        return not batch and not retried

    def settle(self, limit: int) -> None:
        while True:
            try:
                if self.step(limit):
                    return
            except Killed:
                self.start()

    def judged(self, key: str) -> frozenset[str]:
        found = SqliteToyState(self.file).load([key_of(key)])
        return found.get(key_of(key), (0, frozenset[str]()))[1]

    def outputs(self) -> list[Record]:
        return [
            r
            for p, n in self.log.end(MAILBOX_EVENTS).items()
            for r in self.log.records(MAILBOX_EVENTS, p, 0, n)
        ]


@contextmanager
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        made = World(Path(folder))
        yield made
        made.file.close()


@dataclass
class Expected:
    """What a key comes to when nothing happens on the way."""

    outputs: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    judged: set[str] = field(default_factory=set[str])
    parked: list[str] = field(default_factory=list[str])


def expected(key: str, labels: Sequence[str], healed: bool) -> Expected:
    found = Expected()
    for label in labels:
        if found.parked or (label == "poison" and not healed):
            found.parked.append(label)
            continue
        identity = derived("command", key, label)
        if identity in found.judged:
            continue
        found.judged.add(identity)
        seq = len(found.outputs)
        if not label.startswith("at-") or label == f"at-{seq}":
            found.outputs.append((seq + 1, label))
    return found


def hold_true(w: World, sent: Sequence[tuple[str, str]]) -> None:
    outputs = w.outputs()
    letters: dict[str, list[str]] = {}
    for letter in w.dead.list():
        label = decode_as(DeleteLabel, letter.record.value).label_id
        letters.setdefault(letter.record.key, []).append(label)
    assert len({r.event_id for r in outputs}) == len(outputs), "an output is there twice"
    for key in KEYS:
        want = expected(key, [label for k, label in sent if k == key], w.healed)
        assert seen(outputs, key) == want.outputs
        assert w.judged(key) == want.judged
        assert letters.get(key_of(key), []) == want.parked


labels = st.sampled_from(["a", "b", "c", "d", "e", "at-0", "at-1", "at-2", "at-3", "poison"])
sends = st.lists(st.tuples(st.sampled_from(KEYS), labels), min_size=1, max_size=12)
trouble = st.sampled_from(["kill", "zombie", "keep", "restore", "none"])
rounds = st.lists(
    st.tuples(sends, trouble, st.sampled_from(POINTS), st.integers(0, 3), st.integers(1, 8)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=80, deadline=None)
@given(rounds)
def test_no_reader_can_tell_what_happened_on_the_way(story: list[tuple[object, ...]]) -> None:
    note(repr(story))
    sent: list[tuple[str, str]] = []
    with world() as w:
        for some, what, point, passes, limit in story:
            assert isinstance(some, list)
            assert isinstance(point, str)
            assert isinstance(passes, int)
            assert isinstance(limit, int)
            w.log.append([command(k, label) for k, label in some])
            sent += some
            if what in ("kill", "zombie"):
                w.kill_at, w.passes = point, passes
            elif what == "keep":
                w.keep()
            elif what == "restore":
                w.restore()
                w.start()
            if what == "zombie":
                be_overtaken(w, limit)
            w.settle(limit)
            w.kill_at = ""
            hold_true(w, sent)
        w.healed = True
        w.start()
        if w.dead.list():
            w.kill_at, w.passes = "outputs", 1
            w.dead.retry(None)
        w.settle(5)
        hold_true(w, sent)


def be_overtaken(w: World, limit: int) -> None:
    """Let another process take over while this one stands at a point, and this one go on."""
    point, w.kill_at = w.kill_at, ""
    zombie, batch = w.host, w.unread(limit)
    overtaken = False

    def overtake(name: str) -> None:
        nonlocal overtaken
        # Within a transaction on the state it holds the file, and nobody can overtake it there.
        if not overtaken and name == f"mailbox.{point}" and point != "state":
            overtaken = True
            w.start()
            w.settle(limit)

    zombie._checkpoint = overtake  # pyright: ignore[reportPrivateUsage]
    try:
        zombie.hold(frozenset(range(PARTITIONS)))
        zombie.process(batch)
    except Fenced:
        assert overtaken
    finally:
        zombie._checkpoint = w.checkpoint  # pyright: ignore[reportPrivateUsage]


def test_a_record_that_waited_in_the_batch_of_an_output_still_waits() -> None:
    p = partition_of(key_of("ann"), PARTITIONS)
    neighbour = next(k for k in ("bob", "cy", "dan") if partition_of(key_of(k), PARTITIONS) == p)
    with world() as w:
        w.log.append([command("ann", "poison")])
        w.settle(10)
        w.log.append([command("ann", "b"), command(neighbour, "a")])
        w.kill_at = "outputs"
        with pytest.raises(Killed):
            w.step(10)
        w.start()
        w.settle(10)
        assert [d.state for d in w.dead.list()] == ["dead", "waiting"]


def test_a_command_without_effect_is_judged_in_the_state_that_it_met() -> None:
    with world() as w:
        w.log.append([command("ann", "at-1"), command("ann", "a")])
        w.kill_at = "outputs"
        with pytest.raises(Killed):
            w.step(10)
        w.start()
        w.settle(10)
        assert seen(w.outputs(), "ann") == [(1, "a")]
        assert len(w.judged("ann")) == 2


def test_a_zombie_that_was_overtaken_is_fenced_and_changes_nothing() -> None:
    with world() as w:
        w.log.append([command("ann", "a")])
        zombie, batch = w.host, w.unread(10)
        zombie.hold(frozenset(range(PARTITIONS)))
        w.start()
        w.settle(10)
        before = w.outputs()
        with pytest.raises(Fenced):
            zombie.process(batch)
        assert w.outputs() == before
