"""Changes of a mailbox as history, stream and trace tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from api.rest.times import iso
from infra.ports import Record
from projections.mailbox.ports import FeedEntry

_TIMES = frozenset(
    {"occurred_at", "recorded_at", "received_at", "internal_date", "restorable_until", "dated"}
)

STAGE: Mapping[str, str] = {
    "Received": "accept",
    "Authenticated": "authenticate",
    "Scored": "score",
    "Threaded": "thread",
    "Labelled": "label",
    "Delivered": "deliver",
    "Duplicate": "deliver",
}
"""The step that makes each event of a mail on its way; what comes later is the mailbox's."""


def told(entry: FeedEntry) -> dict[str, Any]:
    """Return an entry of the feed as JSON; what is not known is left out."""
    event: dict[str, Any] = {"seq": entry.seq, "type": entry.type}
    for name, value in (
        ("occurred_at", entry.occurred_at),
        ("recorded_at", entry.recorded_at),
        ("event_id", entry.event_id),
        ("message_id", entry.message_id),
        ("mail_id", entry.mail_id),
        ("thread_id", entry.thread_id),
    ):
        if value is not None:
            event[_camel(name)] = _value(name, value)
    for name, value in entry.detail.items():
        event.setdefault(_camel(name), _value(name, value))
    return event


def traced(entry: FeedEntry) -> dict[str, Any]:
    """Return an entry of the feed with its stage."""
    return {"stage": STAGE.get(entry.type, "mailbox"), **told(entry)}


def traced_record(record: Record, mailbox_id: str) -> dict[str, Any]:
    """Return an event that a mail had before it reached `mailbox_id`, with its stage.

    What is sealed, fingerprints, and other mailboxes it went to are left out.
    """
    fields = cast("dict[str, Any]", msgspec.to_builtins(record.decode(), builtin_types=(bytes,)))
    event: dict[str, Any] = {
        "stage": STAGE.get(record.type, record.topic),
        "type": record.type,
        "occurredAt": iso(fields.pop("occurred_at")),
        "recordedAt": iso(record.recorded_at),
    }
    if "mailboxes" in fields:
        fields["mailboxes"] = [m for m in fields["mailboxes"] if m == mailbox_id]
    fields.pop("parts", None)
    for name, value in fields.items():
        if value is not None and not isinstance(value, bytes):
            event[_camel(name)] = _value(name, value)
    return event


def _value(name: str, value: object) -> object:
    if name in _TIMES and isinstance(value, int):
        return iso(value)
    if isinstance(value, Mapping):
        # Placements have labels for names, which are not ours to rewrite.
        pairs = cast("Mapping[str, object]", value)
        if name == "placements" or name.startswith("labels_"):
            return dict(pairs)
        return {_camel(k): _value(k, v) for k, v in pairs.items() if not isinstance(v, bytes)}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        items = cast("Sequence[object]", value)
        return [_value("", v) for v in items if not isinstance(v, bytes)]
    return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(o.capitalize() for o in others)
