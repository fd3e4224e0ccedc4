"""Which messages a page holds: one statement over the rows that stand in the order of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import apsw

from projections.mailbox.paging import Place, Query
from projections.mailbox.state import Label, MailboxState
from projections.mailbox.tables import Value
from schemas.labels import ALL, SPAM, TRASH

_MATCH = (
    "q.mailbox = p.mailbox and q.label = ? and q.internal_date = p.internal_date and q.id = p.id"
)

Listed = tuple[int, bytes, int]
"""internal date, message_id, row of the message."""


class Then(NamedTuple):
    """A seq of the past and when it was recorded."""

    seq: int
    recorded_at: int


def labels_at(mailbox: MailboxState, seq: int | None) -> dict[str, Label]:
    """Return the labels that exist, or existed as of `seq`."""
    if seq is None:
        return {i: mailbox.labels[n] for i, n in mailbox.numbers.items()}
    return {
        label.label_id: label
        for label in mailbox.labels.values()
        if label.made <= seq and (label.deleted is None or label.deleted > seq)
    }


def _plan(query: Query, labels: dict[str, Label]) -> tuple[Sequence[Label], Sequence[Label]] | None:
    """Return labels whose messages are listed, and labels in all of which they must be too.

    None when a label that is asked for does not exist.
    """
    if query.labels:
        # What is in SPAM or TRASH has no other label, so asking for one leaves these two out.
        if not query.labels <= labels.keys():
            return None
        wanted = [labels[label_id] for label_id in query.labels]
        first, *others = sorted(wanted, key=lambda x: (x.total, x.number))
        return [first], others
    sources = (ALL, SPAM, TRASH) if query.include_spam else (ALL,)
    return [labels[s] for s in sources if s in labels], []


def list_messages(
    connection: apsw.Connection,
    mailbox: MailboxState,
    query: Query,
    then: Then | None,
    behind: Place,
    limit: int,
) -> tuple[list[Listed], int]:
    """Return up to `limit` messages behind a place, and the estimate of their number.

    `then` None lists what is there now, else what was there then.
    """
    seq = None if then is None else then.seq
    newest = behind.internal_date
    if then is not None:
        # What came later stands first in the order; there is no need to walk over it.
        newest = min(newest, then.recorded_at + mailbox.ahead)
    plan = _plan(query, labels_at(mailbox, seq))
    if plan is None or not plan[0]:
        return [], 0
    sources, others = plan
    parts: list[str] = []
    bindings: list[Value] = []
    for label in sources:
        for table in ("placed",) if seq is None else ("placed", "past_placed"):
            text, bound = _part(table, label, others, seq)
            parts.append(text)
            bindings += [mailbox.row, label.number, newest, behind.internal_date]
            bindings += [behind.message_id, *bound]
    # A union drops what is listed under two labels; SQLite merges its parts in the order of
    # their keys and stops at the limit.
    statement = f"{' union '.join(parts)} order by 1 desc, 2 limit ?"
    found = connection.execute(statement, (*bindings, limit)).fetchall()
    if query.include_spam and not query.labels:
        estimate = mailbox.messages
    else:
        estimate = sum(label.total for label in sources)
    return cast("list[Listed]", found), estimate


def _part(
    table: str, label: Label, others: Sequence[Label], seq: int | None
) -> tuple[str, list[Value]]:
    text = (
        f"select p.internal_date, p.id, p.message from {table} p where p.mailbox = ?"
        " and p.label = ? and p.internal_date <= ? and (p.internal_date < ? or p.id > ?)"
    )
    bound: list[Value] = []
    if seq is not None:
        text += f" and {_then('p', table)}"
        bound += [seq] if table == "placed" else [seq, seq]
    for other in others:
        now = f"select 1 from placed q where {_MATCH}"
        if seq is None:
            text += f" and exists ({now})"
            bound.append(other.number)
            continue
        past = f"select 1 from past_placed q where {_MATCH} and {_then('q', 'past_placed')}"
        text += f" and (exists ({now} and {_then('q', 'placed')}) or exists ({past}))"
        bound += [other.number, seq, other.number, seq, seq]
    return text, bound


def _then(alias: str, table: str) -> str:
    text = f"{alias}.since <= ?"
    return text if table == "placed" else f"{text} and {alias}.until > ?"
