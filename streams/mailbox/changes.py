"""Decide about changes to messages that the mailbox has: each message is judged by itself."""

from __future__ import annotations

from schemas import commands as c
from schemas import identity
from schemas import mailbox_events as e
from schemas.labels import ALL, SEEN
from schemas.parts import Placement
from streams.mailbox.delivery import restore
from streams.mailbox.draft import Pen
from streams.mailbox.labelling import (
    MOST_FLAGS,
    conflict,
    flag_change,
    flags_are_wrong,
    ordered,
    relabelled,
)
from streams.mailbox.needs import MessagesCommand, Prepared, is_identifier
from streams.mailbox.rows import SYSTEM, Message
from streams.mailbox.working_set import WorkingSet

_SECOND = 1_000_000


def change_messages(ws: WorkingSet, command: MessagesCommand, prepared: Prepared, pen: Pen) -> None:
    """Judge a command on messages: as a whole first, then message by message."""
    code = _refused_as_a_whole(ws, command)
    if code:
        pen.refuse(code)
        return
    for ordinal, message_id in enumerate(dict.fromkeys(command.message_ids)):
        row = ws.messages[message_id] if is_identifier(message_id) else None
        code = _refused(command, row)
        if row is None or code:
            pen.refuse(code, message_id)
            continue
        match command:
            case c.ChangeLabels():
                _change_labels(ws, command, ordinal, row, pen)
            case c.MoveToThread():
                _move(ws, command, ordinal, row, pen)
            case c.Teach():
                _teach(command, ordinal, row, pen)
            case c.Expunge():
                _expunge(ws, command, ordinal, row, pen)
            case c.Restore():
                restore(ws, command, ordinal, row, prepared, pen)
            case c.Erase():
                _erase(ws, command, ordinal, row, pen)


def _refused_as_a_whole(ws: WorkingSet, command: MessagesCommand) -> str:
    match command:
        case c.ChangeLabels():
            add, remove = set(command.add_labels), set(command.remove_labels)
            if ALL in add | remove:
                return "forbidden-label"
            if any(x not in SYSTEM and x not in ws.label_table() for x in add | remove):
                return "unknown-label"
            if conflict(add, remove):
                return "conflicting-labels"
            if set(command.add_flags) & set(command.remove_flags):
                return "conflicting-flags"
            if flags_are_wrong(command.add_flags):
                return "invalid-flag"
        case c.MoveToThread():
            if command.thread_id and ws.thread_named(command.thread_id) is None:
                return "unknown-thread"
        case c.Teach():
            if command.verdict not in ("ham", "spam"):
                return "invalid-verdict"
        case _:
            pass
    return ""


def _refused(command: MessagesCommand, row: Message | None) -> str:
    """Return the code by which this message is refused, "" when it is to be judged."""
    if row is None or row.state not in ("live", "expunged"):
        return "unknown-message"
    if row.state == "expunged" and not isinstance(command, c.Restore | c.Erase):
        return "unknown-message"
    if command.if_seq is not None and row.changed > command.if_seq:
        return "changed"
    return ""


def placements(ws: WorkingSet, row: Message) -> list[Placement]:
    """Return the labels a message is in, with its UID in each."""
    return [Placement(label=k, uid=v) for k, v in ws.valid(row.labels).items()]


def _change_labels(
    ws: WorkingSet, command: c.ChangeLabels, ordinal: int, row: Message, pen: Pen
) -> None:
    now = ws.valid(row.labels)
    then = relabelled(
        now.keys(),
        ws.valid(row.remembered).keys(),
        frozenset(command.add_labels),
        frozenset(command.remove_labels),
    )
    flags = flag_change(row.flags, command.add_flags, command.remove_flags)
    if len(row.flags) + len(flags.added) - len(flags.removed) > MOST_FLAGS:
        pen.refuse("too-many-flags", row.message_id)
        return
    if then == now.keys() and not flags.added and not flags.removed:
        return
    pen.write(
        e.Labelled(
            **pen.head(e.Labelled, ordinal),
            message_id=row.message_id,
            mail_id=row.mail_id,
            labels_added=ordered(then - now.keys()),
            labels_removed=[Placement(label=k, uid=v) for k, v in now.items() if k not in then],
            flags_added=flags.added,
            flags_removed=flags.removed,
            unread_changed=(SEEN in flags.removed) - (SEEN in flags.added),
            by=command.by,
        )
    )


def _move(ws: WorkingSet, command: c.MoveToThread, ordinal: int, row: Message, pen: Pen) -> None:
    named = ws.thread_named(command.thread_id) if command.thread_id else None
    if named is not None:
        target = ws.root(named.n).thread_id
    else:
        # One new thread for all messages of the command.
        target = identity.thread_id(ws.mailbox_id, command.command_id.encode())
    source = ws.root(row.thread).thread_id
    if source == target:
        return
    pen.write(
        e.MovedToThread(
            **pen.head(e.MovedToThread, ordinal),
            message_id=row.message_id,
            mail_id=row.mail_id,
            thread_id=target,
            from_thread_id=source,
        )
    )


def _teach(command: c.Teach, ordinal: int, row: Message, pen: Pen) -> None:
    if row.taught == command.verdict:
        return
    pen.write(
        e.Taught(
            **pen.head(e.Taught, ordinal),
            message_id=row.message_id,
            mail_id=row.mail_id,
            verdict=command.verdict,
        )
    )


def _expunge(ws: WorkingSet, command: c.Expunge, ordinal: int, row: Message, pen: Pen) -> None:
    if command.label and row.labels.get(command.label) != command.uid:
        pen.refuse("not-due", row.message_id)
        return
    pen.write(
        e.Expunged(
            **pen.head(e.Expunged, ordinal),
            message_id=row.message_id,
            mail_id=row.mail_id,
            thread_id=ws.root(row.thread).thread_id,
            placements=placements(ws, row),
            flags=list(row.flags),
            # From the command's time, so that judging it again gives the same window.
            restorable_until=command.occurred_at + max(command.window, 0) * _SECOND,
        )
    )


def _erase(ws: WorkingSet, command: c.Erase, ordinal: int, row: Message, pen: Pen) -> None:
    # The end of an undelete window erases what still waits in it, never what was restored.
    due = row.state == "expunged" and command.occurred_at >= row.restorable_until
    if command.by == "window" and not due:
        pen.refuse("not-due", row.message_id)
        return
    pen.write(
        e.Erased(
            **pen.head(e.Erased, ordinal),
            message_id=row.message_id,
            mail_id=row.mail_id,
            thread_id=ws.root(row.thread).thread_id,
            placements=placements(ws, row) if row.state == "live" else [],
            flags=list(row.flags) if row.state == "live" else [],
            by=command.by,
        )
    )
