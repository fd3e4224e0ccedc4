"""Decide about a mailbox's own tables: its labels and filters."""

from __future__ import annotations

import unicodedata

from schemas import commands as c
from schemas import mailbox_events as e
from schemas.labels import ALL, DRAFTS, INBOX, SENT, SPAM
from schemas.parts import LabelSecret
from streams.mailbox.clues import Print
from streams.mailbox.draft import Pen
from streams.mailbox.labelling import MOST_LABELS, conflict
from streams.mailbox.needs import Prepared, is_identifier
from streams.mailbox.rows import SYSTEM, Label
from streams.mailbox.working_set import WorkingSet

LONGEST_NAME = 225
MOST_FILTERS = 1_000
MOST_LABELS_OF_FILTER = 100


def folded(name: str) -> str:
    """Return the form by which names of labels compare: no two of a mailbox have the same."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


def name_print(prints: Print, mailbox_id: str, name: str) -> bytes:
    """Return the fingerprints of a label's name, folded and as it is, 16 octets each."""
    return prints(mailbox_id, "label-name", folded(name)) + prints(
        mailbox_id, "label-name-as-is", name
    )


def define_label(ws: WorkingSet, command: c.DefineLabel, prepared: Prepared, pen: Pen) -> None:
    """Make a label with a name that no other has."""
    labels = ws.label_table()
    if command.label_id in SYSTEM:
        pen.refuse("forbidden-label")
    elif not is_identifier(command.label_id):
        pen.refuse("invalid-label")
    elif command.label_id in labels:
        pen.refuse("label-exists")
    elif len(labels) >= MOST_LABELS:
        pen.refuse("too-many-labels")
    elif code := _name_refused(ws, command.label_id, prepared):
        pen.refuse(code)
    else:
        pen.write(
            e.LabelDefined(
                **pen.head(e.LabelDefined),
                label_id=command.label_id,
                color=command.color,
                sealed=b"",
            ),
            secret=prepared.secret,
            key=ws.mailbox_id,
            name=prepared.name,
        )


def rename_label(ws: WorkingSet, command: c.RenameLabel, prepared: Prepared, pen: Pen) -> None:
    """Change a label's name or colour."""
    if (code := _label_refused(ws, command.label_id)) or (
        code := _name_refused(ws, command.label_id, prepared)
    ):
        pen.refuse(code)
    elif not _is_so(ws.label_table()[command.label_id], command, prepared):
        pen.write(
            e.LabelRenamed(
                **pen.head(e.LabelRenamed),
                label_id=command.label_id,
                color=command.color,
                sealed=b"",
            ),
            secret=prepared.secret,
            key=ws.mailbox_id,
            name=prepared.name,
        )


def delete_label(ws: WorkingSet, command: c.DeleteLabel, pen: Pen) -> None:
    """Delete a label, and with it the placements of all its messages."""
    if code := _label_refused(ws, command.label_id):
        pen.refuse(code)
    else:
        pen.write(e.LabelDeleted(**pen.head(e.LabelDeleted), label_id=command.label_id))


def define_filter(ws: WorkingSet, command: c.DefineFilter, prepared: Prepared, pen: Pen) -> None:
    """Make, change or delete a filter."""
    if code := _filter_refused(ws, command, prepared):
        pen.refuse(code)
        return
    pen.write(
        e.FilterDefined(
            **pen.head(e.FilterDefined),
            filter_id=command.filter_id,
            labels=[] if command.deleted else sorted(set(command.labels)),
            archive=command.archive and not command.deleted,
            star=command.star and not command.deleted,
            read=command.read and not command.deleted,
            never_spam=command.never_spam and not command.deleted,
            deleted=command.deleted,
            # Not left to be sealed with the outputs: the state keeps it as the event does.
            sealed=prepared.sealed,
        )
    )


_NOT_FILTERED_INTO = frozenset({ALL, SENT, DRAFTS})


def _filter_refused(ws: WorkingSet, command: c.DefineFilter, prepared: Prepared) -> str:
    filters, labels = ws.filter_table(), set(command.labels)
    if command.deleted:
        return "" if command.filter_id in filters else "unknown-filter"
    if not is_identifier(command.filter_id):
        return "invalid-filter"
    if labels & _NOT_FILTERED_INTO:
        return "forbidden-label"
    if any(x not in SYSTEM and x not in ws.label_table() for x in labels):
        return "unknown-label"
    if len(labels) > MOST_LABELS_OF_FILTER:
        return "too-many-labels"
    against = {INBOX: command.archive, SPAM: command.never_spam}
    if conflict(labels, {label for label, asked in against.items() if asked}):
        return "conflicting-labels"
    if not (labels or command.archive or command.star or command.read or command.never_spam):
        return "no-action"
    if prepared.query is None:
        return "invalid-query"
    if command.filter_id not in filters and len(filters) >= MOST_FILTERS:
        return "too-many-filters"
    return ""


def _is_so(row: Label, command: c.RenameLabel, prepared: Prepared) -> bool:
    return row.name == prepared.name and row.color == command.color


def _label_refused(ws: WorkingSet, label_id: str) -> str:
    if label_id in SYSTEM:
        return "forbidden-label"
    return "" if label_id in ws.label_table() else "unknown-label"


def _name_refused(ws: WorkingSet, label_id: str, prepared: Prepared) -> str:
    secret = prepared.secret
    name = folded(secret.name) if isinstance(secret, LabelSecret) else ""
    if not name or len(name) > LONGEST_NAME:
        return "invalid-name"
    if name in _SYSTEM_NAMES:
        return "label-exists"
    labels = ws.label_table()
    taken = any(k != label_id and row.name[:16] == prepared.name[:16] for k, row in labels.items())
    return "label-exists" if taken else ""


_SYSTEM_NAMES = frozenset(label.casefold() for label in SYSTEM)
