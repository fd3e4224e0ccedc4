"""What the feed tells of an event: its plain fields, and nothing that was sealed or hashed."""

from __future__ import annotations

from functools import cache

from schemas.mailbox_events import MailboxEvent
from schemas.parts import Placement

# Told by a field of the entry itself, or of use to the mailbox stage alone.
_ELSEWHERE = frozenset(
    {
        "event_id",
        "mailbox_id",
        "seq",
        "occurred_at",
        "recorded_at",
        "caused_by",
        "message_id",
        "mail_id",
        "sealed",
        "raw_hmac",
        "reverse_path_hmac",
        "message_hash",
        "reference_hashes",
        "subject_hash",
        "participant_hashes",
    }
)


@cache
def _plain_fields(kind: type[MailboxEvent]) -> tuple[str, ...]:
    return tuple(f for f in kind.__struct_fields__ if f not in _ELSEWHERE)


def detail_of(event: MailboxEvent) -> dict[str, object]:
    """Return the plain fields of `event` that are not empty; placements as {label: uid}."""
    detail: dict[str, object] = {}
    for name in _plain_fields(type(event)):
        value = getattr(event, name)
        if not value:
            continue
        if name in ("placements", "labels_removed"):
            placements: list[Placement] = value
            value = {p.label: p.uid for p in placements}
        detail[name] = value
    return detail
