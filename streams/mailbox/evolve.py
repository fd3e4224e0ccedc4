"""The fold: how each event of a mailbox changes its state, and nothing else does.

Rows of a working set are changed in place and marked; deciding and recovering both go this way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from infra.ports import Outcome
from schemas import mailbox_events as e
from schemas.labels import SPAM, TRASH
from streams.mailbox.rows import (
    Actions,
    Candidate,
    Filter,
    Label,
    Message,
    Origin,
    Reference,
    Retry,
    Thread,
    pack_participants,
    retry_key,
    short,
)
from streams.mailbox.working_set import WorkingSet

EXCLUSIVE = frozenset({TRASH, SPAM})
"""Labels that no other stands beside."""

_pack = msgspec.msgpack.Encoder().encode


class FoldGap(Exception):
    """An event whose seq is not the next: the state and its log are not of one mailbox."""


def evolve(ws: WorkingSet, event: e.MailboxEvent, name: bytes = b"") -> None:
    """Fold one event; one that is already in changes nothing. Raises FoldGap.

    `name` is the fingerprint of a label's folded name: it is sealed in LabelDefined and
    LabelRenamed, and whoever folds those has opened it.
    """
    if event.seq <= ws.head:
        return
    if event.seq != ws.head + 1:
        raise FoldGap(f"{event.mailbox_id}: seq {event.seq} after {ws.head}")
    fold = _FOLDS.get(type(event))
    if fold is not None:
        fold(ws, event)
    elif isinstance(event, e.LabelDefined | e.LabelRenamed):
        _named(ws, event, name)
    ws.head = event.seq
    ws.recorded_at = event.recorded_at
    ws.outcomes[event.caused_by] = Outcome(event.seq)
    ws.touched.outcomes.add(event.caused_by)


def _opened(ws: WorkingSet, _event: e.MailboxOpened) -> None:
    ws.opened = True


def _threaded(ws: WorkingSet, event: e.Threaded) -> None:
    n = ws.thread_ids.get(event.thread_id)
    if n is None:
        n = _new_thread(ws, event.seq, event.thread_id)
    for thread_id in event.merged:
        joined = ws.thread_named(thread_id)
        if joined is not None:
            joined.merged_into = n
            ws.touched.threads.add(joined.n)
    row = Message(
        n=event.seq,
        message_id=event.message_id,
        mail_id=event.mail_id,
        thread=n,
        changed=event.seq,
        message_hash=short(event.message_hash) if event.message_hash else None,
        subject=short(event.subject_hash) if event.subject_hash else None,
    )
    ws.messages[event.message_id] = row
    ws.touched.messages.add(event.message_id)
    for h in event.reference_hashes:
        _refer(ws, short(h), n)
    if row.message_hash is not None:
        _refer(ws, row.message_hash, n)
    if row.subject is not None:
        ws.candidates.setdefault(row.subject, {})[event.seq] = Candidate(
            n, event.dated, pack_participants(event.participant_hashes)
        )
        ws.touched.candidates.add((row.subject, event.seq))


def _new_thread(ws: WorkingSet, seq: int, thread_id: str) -> int:
    ws.threads[seq] = Thread(seq, thread_id)
    ws.thread_ids[thread_id] = seq
    ws.touched.threads.add(seq)
    return seq


def _refer(ws: WorkingSet, h: int, thread: int) -> None:
    if ws.references[h] is None:
        ws.references[h] = Reference(thread)
        ws.touched.references.add(h)


def _message(ws: WorkingSet, message_id: str, seq: int) -> Message:
    row = ws.messages[message_id]
    if row is None:
        raise FoldGap(f"no message {message_id} at seq {seq}")
    row.changed = seq
    ws.touched.messages.add(message_id)
    return row


def _labelled(ws: WorkingSet, event: e.Labelled) -> None:
    row = _message(ws, event.message_id, event.seq)
    removed = {p.label: p.uid for p in event.labels_removed}
    for label in removed:
        row.labels.pop(label, None)
    for label in event.labels_added:
        row.labels[label] = event.seq
    _remember(row, event.labels_added, removed)
    if event.flags_removed or event.flags_added:
        gone = set(event.flags_removed)
        row.flags = [f for f in row.flags if f not in gone] + event.flags_added


def _remember(row: Message, added: list[str], removed: dict[str, int]) -> None:
    """Keep what TRASH or SPAM took away, until the message is in neither."""
    if EXCLUSIVE.isdisjoint(row.labels):
        row.remembered = {}
        return
    entered = next((label for label in added if label in EXCLUSIVE), None)
    if entered is None:
        return
    if entered in row.remembered:
        # It came back to where it was: what took it away is not remembered in turn.
        del row.remembered[entered]
    else:
        row.remembered.update(removed)


def _delivered(ws: WorkingSet, event: e.Delivered) -> None:
    row = _message(ws, event.message_id, event.seq)
    row.state = "live"
    row.labels = {p.label: p.uid for p in event.placements}
    row.flags = list(event.flags)
    row.origin = _pack(
        Origin(
            event.authenticated_id,
            event.scored_id,
            event.verdict,
            event.source,
            event.size,
            event.received_at,
            event.internal_date,
            event.attachment_count,
            event.raw_hmac,
            event.reverse_path_hmac,
        )
    )
    if event.source != "import":
        key = retry_key(event.raw_hmac, event.reverse_path_hmac)
        earlier = ws.retries[key]
        if earlier is None or earlier.received_at <= event.received_at:
            ws.retries[key] = Retry(event.received_at, event.message_id)
            ws.touched.retries.add(key)


def _moved(ws: WorkingSet, event: e.MovedToThread) -> None:
    row = _message(ws, event.message_id, event.seq)
    n = ws.thread_ids.get(event.thread_id)
    if n is None:
        n = _new_thread(ws, event.seq, event.thread_id)
    row.thread = n
    if row.message_hash is not None:
        ws.references[row.message_hash] = Reference(n, moved=True)
        ws.touched.references.add(row.message_hash)
    if row.subject is not None:
        candidate = ws.candidates.get(row.subject, {}).get(row.n)
        if candidate is not None:
            candidate.thread = n
            ws.touched.candidates.add((row.subject, row.n))


def _expunged(ws: WorkingSet, event: e.Expunged) -> None:
    row = _message(ws, event.message_id, event.seq)
    row.state = "expunged"
    row.restorable_until = event.restorable_until


def _restored(ws: WorkingSet, event: e.Restored) -> None:
    row = _message(ws, event.message_id, event.seq)
    row.state = "live"
    row.restorable_until = 0
    row.labels = {p.label: p.uid for p in event.placements}
    row.flags = list(event.flags)


def _erased(ws: WorkingSet, event: e.Erased) -> None:
    row = _message(ws, event.message_id, event.seq)
    row.state = "erased"
    row.labels, row.remembered, row.flags = {}, {}, []
    row.restorable_until, row.taught, row.origin = 0, "", b""


def _taught(ws: WorkingSet, event: e.Taught) -> None:
    _message(ws, event.message_id, event.seq).taught = event.verdict


def _named(ws: WorkingSet, event: e.LabelDefined | e.LabelRenamed, name: bytes) -> None:
    labels = ws.label_table()
    renamed = isinstance(event, e.LabelRenamed)
    made = labels[event.label_id].made if renamed else event.seq
    labels[event.label_id] = Label(made, name, event.color)
    ws.touched.labels.add(event.label_id)


def _label_deleted(ws: WorkingSet, event: e.LabelDeleted) -> None:
    del ws.label_table()[event.label_id]
    ws.touched.labels.add(event.label_id)


def _filter_defined(ws: WorkingSet, event: e.FilterDefined) -> None:
    if event.deleted:
        ws.filter_table().pop(event.filter_id, None)
    else:
        actions = Actions(
            list(event.labels), event.archive, event.star, event.read, event.never_spam
        )
        ws.filter_table()[event.filter_id] = Filter(
            event.seq, event.event_id, actions, event.sealed
        )
    ws.touched.filters.add(event.filter_id)


# Duplicate is for the trace: it has a seq and an outcome, and changes no row.
_FOLDS: dict[type[e.MailboxEvent], Callable[[WorkingSet, Any], None]] = {
    e.MailboxOpened: _opened,
    e.Threaded: _threaded,
    e.Labelled: _labelled,
    e.Delivered: _delivered,
    e.MovedToThread: _moved,
    e.Expunged: _expunged,
    e.Restored: _restored,
    e.Erased: _erased,
    e.Taught: _taught,
    e.LabelDeleted: _label_deleted,
    e.FilterDefined: _filter_defined,
}
