"""What a person's filters do to new mail, after it was judged and before it is shown.

Every filter looks at the mail as it would be delivered without any, so that their order means
nothing, and what all that match ask for is done together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mail.query.match import Facts, in_labels, matches
from schemas import commands as c
from schemas.labels import ALL, FLAGGED, INBOX, SEEN, SPAM, SYSTEM_LABELS, TRASH
from streams.mailbox.evolve import EXCLUSIVE
from streams.mailbox.labelling import at_delivery, rescuable
from streams.mailbox.needs import Mail, Prepared
from streams.mailbox.rows import SYSTEM, Filter
from streams.mailbox.working_set import WorkingSet

_NAMES = {label: label for label in SYSTEM_LABELS}


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a mail is to be delivered; `filters` changed something of it, `failed` could not."""

    labels: frozenset[str]
    flags: tuple[str, ...] = ()
    filters: list[str] = field(default_factory=list[str])
    failed: list[str] = field(default_factory=list[str])


def filtered(
    ws: WorkingSet,
    command: c.Deliver,
    prepared: Prepared,
    mail: Mail,
    plain: Outlook,
    asked: Sequence[str],
    now: int,
) -> Outlook:
    """Return what filters make of a mail that would be delivered as `plain`.

    `asked` are the labels that its door asks for, `now` is in microseconds.
    """
    rows = sorted(ws.filter_table().items(), key=lambda item: item[1].seq)
    facts = _facts(command, prepared, mail, plain, now)
    matched: dict[str, Filter] = {}
    failed: list[str] = []
    for filter_id, row in rows:
        if facts is None:
            failed.append(filter_id)
            continue
        # A defect in a filter never stops mail, nor the other filters.
        try:
            if matches(prepared.queries[row.event_id], facts):
                matched[filter_id] = row
        except Exception:  # noqa: BLE001
            failed.append(filter_id)
    then = _changed(ws, command, plain, list(matched.values()), asked)
    if then == plain:
        return Outlook(plain.labels, plain.flags, failed=failed)
    return Outlook(then.labels, then.flags, list(matched), failed)


def _facts(
    command: c.Deliver, prepared: Prepared, mail: Mail, plain: Outlook, now: int
) -> Facts | None:
    if prepared.document is None:
        return None
    return Facts(
        document=prepared.document,
        # No door but an import, which is not filtered, puts mail into a label of the user.
        in_label=in_labels(plain.labels, _NAMES),
        is_read=SEEN in plain.flags,
        is_starred=FLAGGED in plain.flags,
        has_attachment=any(not p.inline for p in mail.digest.parts),
        size=command.size,
        internal_date=command.internal_date,
        now=now,
    )


def _changed(
    ws: WorkingSet,
    command: c.Deliver,
    plain: Outlook,
    matched: Sequence[Filter],
    asked: Sequence[str],
) -> Outlook:
    """Return the mail with the actions of all filters that match."""
    labels = plain.labels
    never_spam = any(row.actions.never_spam for row in matched)
    if never_spam and SPAM in labels and rescuable(command.verdict, command.disposition):
        labels = at_delivery(command.source, asked, "ham", command.disposition)
    if not EXCLUSIVE.isdisjoint(labels):
        return plain
    added = {label for row in matched for label in row.actions.labels if _is_there(ws, row, label)}
    if never_spam:
        added.discard(SPAM)
    flags = dict.fromkeys(plain.flags)
    if any(row.actions.star for row in matched):
        flags[FLAGGED] = None
    if any(row.actions.read for row in matched):
        flags[SEEN] = None
    if any(row.actions.archive for row in matched):
        labels = labels - {INBOX}
    labels = labels | added | {ALL}
    for exclusive in (TRASH, SPAM):
        if exclusive in added:
            labels = frozenset({exclusive})
            break
    return Outlook(labels, tuple(flags))


def _is_there(ws: WorkingSet, row: Filter, label: str) -> bool:
    """Whether the label that a filter names still is the one that it meant."""
    if label in SYSTEM:
        return True
    found = ws.label_table().get(label)
    return found is not None and found.made < row.seq
