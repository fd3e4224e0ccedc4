"""Headers of a record: CloudEvents' Kafka binding (binary mode) and W3C Trace Context.

CloudEvents 1.0.2, Kafka Protocol Binding 1.0.2 section 3.2: attributes are headers named `ce_`
and the attribute; the data's media type is the header `content-type`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from infra.ports import Output, Told, traceparent
from schemas.codec import CodecError, decode
from schemas.topics import TOPICS

Header = tuple[str, str | bytes | None]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


CAUSE = "ce_causeposition"
"""TOPIC/PARTITION/OFFSET of the record that an output of a stage follows from."""


def headers_of(
    output: Output, recorded_at: int, causes: Mapping[str, str] | None = None
) -> list[Header]:
    """The headers of an output that is recorded at `recorded_at` (microseconds).

    `ce_time` is when it occurred, `ce_recordedtime` (CloudEvents' extension of that name) when
    the log took it: Kafka's own timestamp has milliseconds only. `causes` are the positions of
    records by event_id, one of which the output may follow from.
    """
    told = output.told or _told(output)
    occurred_at = recorded_at if told.occurred_at is None else told.occurred_at
    headers: list[Header] = [
        ("ce_specversion", b"1.0"),
        ("ce_id", output.event_id.encode()),
        ("ce_type", f"mailfold.{output.type}".encode()),
        ("ce_source", f"/mailfold/{output.topic}".encode()),
        ("ce_time", timestamp(occurred_at).encode()),
        ("ce_recordedtime", timestamp(recorded_at).encode()),
        ("content-type", b"application/avro"),
    ]
    cause = causes.get(told.caused_by) if causes else None
    if cause is not None:
        headers.append((CAUSE, cause.encode()))
    trace = _trace(output, told)
    if trace is not None:
        headers.append(("traceparent", trace.encode()))
    return headers


def timestamp(microseconds: int) -> str:
    """The time in RFC 3339 form, UTC, with microseconds."""
    when = _EPOCH + microseconds * _MICROSECOND
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")


def microseconds(text: str) -> int:
    """The time in a text in RFC 3339 form. Raises ValueError for other text."""
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError("a time without its offset from UTC")
    return (when - _EPOCH) // _MICROSECOND


def header(headers: Sequence[Header] | None, name: str) -> str | None:
    """The first header of that name as text; None when there is none, or it is no text."""
    for found, value in headers or ():
        if found == name and value is not None:
            try:
                return value if isinstance(value, str) else value.decode()
            except UnicodeDecodeError:
                return None
    return None


def position_text(topic: str, partition: int, offset: int) -> str:
    """A position as it stands in a header; `topic` by Kafka's name of it."""
    return f"{topic}/{partition}/{offset}"


def cause_offset(headers: Sequence[Header] | None, topic: str, partition: int) -> int | None:
    """The offset of the record that an output follows from, when that is in this partition.

    What was copied from another generation of the topics tells positions of that one.
    """
    place, _, offset = (header(headers, CAUSE) or "").rpartition("/")
    if place != f"{topic}/{partition}" or not offset.isdecimal():
        return None
    return int(offset)


def _told(output: Output) -> Told:
    """What the value tells; nothing when it can't be decoded, which is for its reader to judge."""
    try:
        return Told.of(decode(output.type, output.value))
    except CodecError:
        return Told(None, "", "")


def _trace(output: Output, told: Told) -> str | None:
    """The trace of a mail's records is the mail's; of others, the command's that caused them."""
    topic = TOPICS.get(output.topic)
    by_mail = topic is not None and topic.key == "mail_id"
    trace = output.key if by_mail else told.mail_id or told.caused_by or output.event_id
    try:
        return traceparent(trace, output.event_id)
    except ValueError:
        # Not identifiers of ours: then there is no trace to belong to.
        return None
