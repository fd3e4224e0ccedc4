"""Our outputs as Kafka's records, and Kafka's records as ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import Message

from infra.kafka.headers import Header, header, headers_of, microseconds
from infra.kafka.wire import NotFramed, frame, unframe
from infra.ports import Clock, Output, Record
from infra.registry.file import UnknownSchema
from schemas.codec import schema_names, schema_text
from schemas.topics import subject

UNKNOWN = "unknown"
"""The type of a record that is none of ours: decoding it raises CodecError."""


class Registry(Protocol):
    """What is asked of a schema registry."""

    def register(self, subject: str, schema: str) -> int:
        """The id of a schema in a subject, given now when it is new."""
        ...

    def subject(self, id: int) -> str:
        """A subject in which the schema was registered. Raises UnknownSchema."""
        ...


@dataclass(frozen=True, slots=True)
class Produced:
    """What is handed to a producer; `timestamp` in milliseconds."""

    key: bytes
    value: bytes
    headers: list[Header]
    timestamp: int


@dataclass(frozen=True, slots=True)
class Received:
    """What a client received; `timestamp` in milliseconds."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] | None
    timestamp: int


class Translator:
    """Translates both ways; every type is registered in a topic's subject when first written."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._ids: dict[tuple[str, str], int] = {}

    def produced(self, output: Output, causes: Mapping[str, str] | None = None) -> Produced:
        """An output as it is appended now. Raises KeyError for a type without a schema.

        `causes` are positions by event_id; see `headers_of`.
        """
        now = self._clock()
        schema_id = self._schema_id(output.topic, output.type)
        return Produced(
            output.key.encode(),
            frame(schema_id, output.value),
            headers_of(output, now, causes),
            now // 1000,
        )

    def dead(self, record: Record, why: Sequence[Header]) -> Produced:
        """A record as a dead letter: as it came, with `why` behind its headers."""
        output = Output(record.topic, record.key, record.type, record.event_id, record.value)
        unknown = record.type == UNKNOWN
        return Produced(
            record.key.encode(),
            # What could not be read keeps even the head that it came with.
            record.value
            if unknown
            else frame(self._schema_id(record.topic, record.type), record.value),
            [*headers_of(output, record.recorded_at), *why],
            self._clock() // 1000,
        )

    def record(self, message: Message, topic: str) -> Record:
        """A message of the log's `topic` as a record; never raises for what is in it."""
        return self.received(
            Received(
                message.partition() or 0,
                message.offset() or 0,
                message.key(),
                message.value(),
                message.headers(),
                message.timestamp()[1],
            ),
            topic,
        )

    def received(self, message: Received, topic: str) -> Record:
        """What any client received of the log's `topic` as a record; never raises either."""
        kind, value = self._content(message.value or b"")
        return Record(
            topic,
            message.partition,
            message.offset,
            (message.key or b"").decode("utf-8", "replace"),
            kind,
            header(message.headers, "ce_id") or "",
            _recorded_at(message),
            value,
        )

    def _schema_id(self, topic: str, kind: str) -> int:
        known = self._ids.get((topic, kind))
        if known is None:
            if kind not in schema_names():
                raise KeyError(f"no schema for records of type {kind}")
            known = self._registry.register(subject(topic, kind), schema_text(kind))
            self._ids[topic, kind] = known
        return known

    def _content(self, value: bytes) -> tuple[str, bytes]:
        try:
            schema_id, avro = unframe(value)
            named = self._registry.subject(schema_id)
        except (NotFramed, UnknownSchema):
            return UNKNOWN, value
        return named.rpartition(".")[2], avro


def _recorded_at(message: Received) -> int:
    text = header(message.headers, "ce_recordedtime")
    if text is not None:
        try:
            return microseconds(text)
        except ValueError:
            pass  # written by somebody else: Kafka's own time is as good
    return max(message.timestamp, 0) * 1000
