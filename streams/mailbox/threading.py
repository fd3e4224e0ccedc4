"""Which thread a message belongs to: References, In-Reply-To, then the subject.

Every Message-ID that was seen, on a message or only named by one, belongs to a thread. A message
belongs to the thread of any identifier it names, and where it names several threads it joins them:
the one that began first stays. Only a mail that names nothing known is looked at by its subject.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas import identity
from schemas.parts import ThreadedBy
from streams.mailbox.clues import Clues
from streams.mailbox.rows import Candidate, short
from streams.mailbox.working_set import WorkingSet

SUBJECT_WINDOW = 30 * 86_400_000_000
"""How far apart two messages may be to meet by subject, microseconds."""

PARTICIPANTS_IN_COMMON = 2


@dataclass(frozen=True, slots=True)
class Found:
    """The thread of a message, by what it was found, and the threads that it joins into it."""

    thread_id: str
    by: ThreadedBy
    merged: tuple[str, ...] = ()


def thread_of(ws: WorkingSet, clues: Clues, dated: int) -> Found:
    """Return the thread of a message with these clues and that internal date (microseconds)."""
    return (
        _by_reference(ws, clues)
        or _by_subject(ws, clues, dated)
        or Found(identity.thread_id(ws.mailbox_id, clues.root), "root")
    )


def _by_reference(ws: WorkingSet, clues: Clues) -> Found | None:
    chain = [short(h) for h in clues.references]
    named = len(chain)
    if clues.message:
        chain.append(short(clues.message))
    hits: list[tuple[int, int]] = []
    for i in range(len(chain) - 1, -1, -1):
        row = ws.references[chain[i]]
        if row is None:
            continue
        hits.append((i, row.thread))
        if row.moved:
            # A person put this one where it is: what it answers to no longer counts, or the next
            # reply would undo the move.
            break
    if not hits:
        return None
    roots = sorted({ws.root(thread).n for _, thread in hits})
    in_references = any(i < clues.from_references or i == named for i, _ in hits)
    return Found(
        ws.threads[roots[0]].thread_id,
        "references" if in_references else "in_reply_to",
        tuple(ws.threads[n].thread_id for n in roots[1:]),
    )


def _by_subject(ws: WorkingSet, clues: Clues, dated: int) -> Found | None:
    if not clues.subject or len(clues.participants) < PARTICIPANTS_IN_COMMON:
        return None
    ours = {p[:8] for p in clues.participants}
    nearest: Candidate | None = None
    for row in ws.newest(short(clues.subject)):
        if (
            abs(row.dated - dated) <= SUBJECT_WINDOW
            and (nearest is None or abs(row.dated - dated) < abs(nearest.dated - dated))
            and _in_common(row, ours) >= PARTICIPANTS_IN_COMMON
        ):
            nearest = row
    return None if nearest is None else Found(ws.root(nearest.thread).thread_id, "subject")


def _in_common(row: Candidate, ours: set[bytes]) -> int:
    theirs = row.participants
    return len({theirs[i : i + 8] for i in range(0, len(theirs), 8)} & ours)
