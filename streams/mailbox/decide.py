"""What a command comes to in a mailbox: events, refusals, or nothing."""

from __future__ import annotations

from infra.ports import Outcome
from schemas import commands as c
from streams.mailbox import definitions
from streams.mailbox.changes import change_messages
from streams.mailbox.delivery import deliver, open_mailbox
from streams.mailbox.draft import Decision, Draft, Pen
from streams.mailbox.evolve import evolve
from streams.mailbox.needs import Prepared
from streams.mailbox.working_set import WorkingSet
from streams.stage import Poison


def decide(ws: WorkingSet, command: c.Command, prepared: Prepared, now: int) -> Decision:
    """Judge one command; `now` in microseconds. Changes nothing.

    Raises Poison when what the command needs from outside is not to be had.
    """
    pen = Pen(ws, command, now)
    if isinstance(command, c.Deliver):
        deliver(ws, command, prepared, pen)
    elif isinstance(command, c.OpenMailbox):
        open_mailbox(ws, pen)
    elif not ws.opened:
        pen.refuse("unknown-mailbox")
    elif isinstance(
        command,
        c.ChangeLabels | c.MoveToThread | c.Teach | c.Expunge | c.Restore | c.Erase,
    ):
        change_messages(ws, command, prepared, pen)
    elif command.if_seq is not None and ws.head > command.if_seq:
        pen.refuse("changed")
    else:
        _define(ws, command, prepared, pen)
    return pen.decision


def _define(ws: WorkingSet, command: c.Command, prepared: Prepared, pen: Pen) -> None:
    if prepared.missing:
        raise Poison(prepared.missing)
    match command:
        case c.DefineLabel():
            definitions.define_label(ws, command, prepared, pen)
        case c.RenameLabel():
            definitions.rename_label(ws, command, prepared, pen)
        case c.DeleteLabel():
            definitions.delete_label(ws, command, pen)
        case c.DefineFilter():
            definitions.define_filter(ws, command, prepared, pen)
        case _:
            pen.refuse("unknown-command")


def judge(ws: WorkingSet, command: c.Command, prepared: Prepared, now: int) -> list[Draft]:
    """Decide a command, fold what it comes to into `ws`, and leave its outcome there.

    A command that was judged before comes to nothing, and its outcome is kept for another day.
    Raises Poison.
    """
    if ws.outcomes[command.command_id] is not None:
        ws.touched.outcomes.add(command.command_id)
        return []
    decision = decide(ws, command, prepared, now)
    for draft in decision.drafts:
        evolve(ws, draft.event, draft.name)
    ws.outcomes[command.command_id] = Outcome(ws.head, tuple(decision.refusals))
    ws.touched.outcomes.add(command.command_id)
    return decision.drafts
