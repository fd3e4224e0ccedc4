"""A mailbox at any time equals a replay of everything until then."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailfold.timetravel import Change, changes, messages_at
from projections.consumer import always
from projections.mailbox.sqlite import SqliteMailboxProjection
from projections.mailbox.sqlite_reader import SqliteMailboxReader
from schemas import mailbox_events as e
from schemas.labels import ALL
from tests.contracts.projection_mailbox import assert_shown, keys_of
from tests.histories import Histories, as_records
from tests.projections.naive import Naive, View

Past = tuple[SqliteMailboxReader, list[e.MailboxEvent], Naive, str]


def past(folder: Path, seed: int, events: int) -> Iterator[Past]:
    history = Histories(seed, mailboxes=1)
    told = history.events(events)
    path = folder / "views.db"
    projection = SqliteMailboxProjection(path, keys_of(history))
    projection.apply(as_records(told), always)
    reader = SqliteMailboxReader(lambda: path)
    yield reader, told, Naive(told, history.keys), history.boxes[0].mailbox_id
    reader.close()
    projection.close()


def seq_at(events: list[e.MailboxEvent], time: int) -> int:
    return max((x.seq for x in events if x.recorded_at <= time), default=0)


def agree_at_random_times(found: Past, times: int, seed: int) -> None:
    reader, events, naive, mailbox_id = found
    rng = random.Random(seed)
    first, last = events[0].recorded_at, events[-1].recorded_at
    views: dict[int, View] = {}
    for _ in range(times):
        time = rng.randint(first - 1_000_000, last + 1_000_000)
        seq = seq_at(events, time)
        if seq not in views:
            views[seq] = naive.view(seq)
        rows = list(messages_at(reader, mailbox_id, time))
        assert [r.message_id for r in rows] == views[seq].listed(include_spam=True)
        for row in rows:
            assert_shown(row, naive, views[seq])


def test_the_past_equals_a_full_replay_at_random_times(tmp_path: Path) -> None:
    for found in past(tmp_path, 90, 250):
        agree_at_random_times(found, 60, 1)


@pytest.mark.slow
def test_the_past_equals_a_full_replay_at_a_thousand_times(tmp_path: Path) -> None:
    for found in past(tmp_path, 91, 2_000):
        agree_at_random_times(found, 1_000, 2)


def applied(before: View, told: list[Change]) -> dict[str, tuple[set[str], set[str]]]:
    """Labels and flags of each message after the changes."""
    state = {i: (set(m.placements) - {ALL}, set(m.flags)) for i, m in before.messages.items()}
    for change in told:
        i = change.message.message_id
        if change.kind == "removed":
            del state[i]
            continue
        labels, flags = state.setdefault(i, (set(), set()))
        labels |= set(change.labels_added)
        labels -= set(change.labels_removed)
        flags |= set(change.flags_added)
        flags -= set(change.flags_removed)
    return state


def test_a_difference_leads_from_one_time_to_the_other(tmp_path: Path) -> None:
    for reader, events, naive, mailbox_id in past(tmp_path, 92, 250):
        rng = random.Random(3)
        for _ in range(15):
            one, other = (rng.choice(events).recorded_at for _ in range(2))
            before = naive.view(seq_at(events, one))
            after = naive.view(seq_at(events, other))
            told = list(changes(reader, mailbox_id, one, other))
            assert applied(before, told) == {
                i: (set(m.placements) - {ALL}, set(m.flags)) for i, m in after.messages.items()
            }
            assert len({c.message.message_id for c in told}) == len(told)
            moved = {c.message.message_id: c.thread for c in told if c.thread}
            for i, m in after.messages.items():
                if i in before.messages:
                    now, was = after.thread(m), before.thread(before.messages[i])
                    assert moved.get(i, was) == now
        time = events[-1].recorded_at
        assert list(changes(reader, mailbox_id, time, time)) == []
