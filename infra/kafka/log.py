"""The event log on Kafka: topics of the topic table, positions as offsets of consumer groups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from time import monotonic
from typing import TypeVar

from confluent_kafka import Message

from infra.kafka.appender import Addressed, Appender
from infra.kafka.cluster import Cluster, Connection
from infra.kafka.headers import Header, cause_offset
from infra.kafka.member import KafkaMember
from infra.kafka.reader import KafkaReader
from infra.kafka.records import Received, Registry, Translator
from infra.kafka.topics import ensure_topics
from infra.kafka.writer import PartitionWriter
from infra.ports import Caused, Clock, EngineDown, Output, Position, Reader, Record
from schemas.identity import time_of
from schemas.partition import partition_of
from schemas.topics import dead_topic

R = TypeVar("R")

_REPLICAS = 3
_POLL_RECORDS = 500
_POLL_SECONDS = 0.05
# A mail_id carries the clock of the door that gave it, the log that of the process that appends.
_CLOCK_SKEW = 600_000_000  # microseconds


class KafkaLog:
    """Satisfies EventLog.

    `prefix` is put before the names of topics, groups and transactions: another prefix is
    another log on the same cluster.
    """

    def __init__(
        self, connection: Connection, registry: Registry, clock: Clock, prefix: str = ""
    ) -> None:
        self.connection = connection
        self.prefix = prefix
        self._cluster = Cluster(connection)
        self._translator = Translator(registry, clock)
        self._appender = Appender(connection)

    def ensure_topics(self, partitions: int) -> None:
        """Make the topics that are not there yet, on three brokers each. Raises EngineDown."""
        replicas = min(_REPLICAS, self._cluster.brokers())
        ensure_topics(self._cluster, self.prefix, partitions, replicas)

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has. Raises EngineDown."""
        return self._cluster.partitions(self.prefix + topic)

    def append(self, outputs: Sequence[Output]) -> None:
        """Append in order within each key; durable on return. Raises EngineDown.

        After EngineDown some of them may have been appended.
        """
        self._appender.append([self._address(output) for output in outputs])

    def append_dead(self, record: Record, why: Mapping[str, str]) -> None:
        """Append a record as it came to its topic's dead letters, `why` in headers.

        Raises EngineDown.
        """
        topic = self.prefix + dead_topic(record.topic)
        headers: list[Header] = [(name, text.encode()) for name, text in why.items()]
        content = self._translator.dead(record, headers)
        partition = partition_of(record.key, self._cluster.partitions(topic))
        self._appender.append([Addressed(topic, partition, content)])

    def reader(
        self, topic: str, position: Position, partitions: Collection[int] | None = None
    ) -> Reader:
        """A reader of a topic, or of some of its partitions. Raises EngineDown."""
        chosen = range(self.partitions(topic)) if partitions is None else partitions
        start = {p: position[p] for p in chosen if p in position}
        if len(start) < len(chosen):
            # librdkafka would look for the beginning itself, and take half a second for it.
            begin = self.begin(topic)
            start = {p: position.get(p, begin[p]) for p in chosen}
        return KafkaReader(
            self.connection,
            lambda message: self._translator.record(message, topic),
            self.prefix + topic,
            start,
        )

    def member(
        self, group: str, topic: str, instance: str = "", session: float = 10.0
    ) -> KafkaMember:
        """A member of a group that consumes a topic; see KafkaMember."""
        return KafkaMember(
            self.connection,
            lambda message: self._translator.record(message, topic),
            self.prefix + group,
            self.prefix + topic,
            instance,
            session,
        )

    def received(
        self,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header] | None,
        timestamp: int,
    ) -> Record:
        """What any client received of a topic, as a record; `timestamp` in milliseconds."""
        message = Received(partition, offset, key, value, headers, timestamp)
        return self._translator.received(message, topic)

    def physical(self, name: str) -> str:
        """Kafka's name of a topic or group."""
        return self.prefix + name

    @property
    def servers(self) -> Sequence[str]:
        """Where the brokers are, `host:port`."""
        return self.connection.servers.split(",")

    def writer(self, stage: str, partition: int) -> PartitionWriter:
        """Take over the outputs of a partition of a stage; see PartitionWriter.

        Raises EngineDown.
        """
        return PartitionWriter(
            self.connection,
            self._address,
            self.prefix,
            f"{self.prefix}{stage}-{partition}",
        )

    def end(self, topic: str) -> Position:
        """The position behind the last committed record. Raises EngineDown."""
        return self._cluster.latest(self.prefix + topic)

    def begin(self, topic: str) -> Position:
        """The position of the first record still kept. Raises EngineDown."""
        return self._cluster.earliest(self.prefix + topic)

    def position_at(self, topic: str, time: int) -> Position:
        """The position of the first record recorded at or after `time`. Raises EngineDown."""
        found = self._cluster.at(self.prefix + topic, time // 1000)
        end = self.end(topic)
        position = {p: offset if offset >= 0 else end[p] for p, offset in found.items()}
        if time % 1000:
            # Kafka's index knows milliseconds; of the one in question some may be earlier.
            for partition in position:
                position[partition] = self._first_at(topic, partition, position, end, time)
        return position

    def find(self, topic: str, key: str) -> Sequence[Record]:
        """All records of a mail, in order. Raises EngineDown.

        Kafka has no index by key: the mail's partition is read from the time in its mail_id,
        or from its beginning when there is none in it.
        """
        partition = partition_of(key, self.partitions(topic))
        given_at = time_of(key)
        start = (
            self.begin(topic)
            if given_at is None
            else self.position_at(topic, (given_at - _CLOCK_SKEW) // 1000 * 1000)
        )
        records = self.read_to_end(topic, partition, start[partition])
        return [record for record in records if record.key == key]

    def read_to_end(self, topic: str, partition: int, offset: int) -> Sequence[Record]:
        """All records of a partition from `offset` to what is its end now. Raises EngineDown."""
        return list(self.records(topic, partition, offset, self.end(topic)[partition]))

    def records(self, topic: str, partition: int, start: int, end: int) -> Iterator[Record]:
        """The records of a partition from `start` below `end`. Raises EngineDown."""
        for batch in self._read(
            topic, partition, start, end, lambda m: self._translator.record(m, topic)
        ):
            yield from (record for record in batch if record.offset < end)

    def outputs(
        self, topic: str, partition: int, start: int, end: int, source: str
    ) -> Iterator[Sequence[Caused]]:
        """Outputs from `start` below `end` that records of `source` caused. Raises EngineDown."""
        physical = self.prefix + source

        def caused(message: Message) -> Caused:
            record = self._translator.record(message, topic)
            return Caused(record, cause_offset(message.headers(), physical, partition))

        for batch in self._read(topic, partition, start, end, caused):
            yield [each for each in batch if each.record.offset < end]

    def committed(self, group: str, topic: str) -> Position:
        """How far a consumer group has come. Raises EngineDown."""
        return self._cluster.committed(self.prefix + group, self.prefix + topic)

    def commit(self, group: str, topic: str, position: Position) -> None:
        """Set how far a group has come that has no members now. Raises EngineDown."""
        self._cluster.commit(self.prefix + group, self.prefix + topic, position)

    def trim(self, topic: str, position: Position) -> None:
        """Delete all records before a position. Raises EngineDown."""
        self._cluster.delete_before(self.prefix + topic, position)

    def close(self) -> None:
        """Wait for what is being appended, and give the connections back."""
        self._appender.close()
        self._cluster.close()

    def _address(self, output: Output, causes: Mapping[str, str] | None = None) -> Addressed:
        topic = self.prefix + output.topic
        partition = partition_of(output.key, self._cluster.partitions(topic))
        return Addressed(topic, partition, self._translator.produced(output, causes))

    def _first_at(
        self, topic: str, partition: int, start: Position, end: Position, time: int
    ) -> int:
        first, last = start[partition], end[partition]
        for record in self.records(topic, partition, first, last):
            if record.recorded_at >= time:
                return record.offset
        return last

    def _read(
        self, topic: str, partition: int, start: int, end: int, translate: Callable[[Message], R]
    ) -> Iterator[Sequence[R]]:
        """What is from `start` on, in batches, until `end` is behind; the last may go further."""
        if start >= end:
            return
        reader = KafkaReader(self.connection, translate, self.prefix + topic, {partition: start})
        try:
            deadline = monotonic() + self.connection.timeout
            while (before := reader.position[partition]) < end:
                batch = reader.poll(_POLL_RECORDS, _POLL_SECONDS)
                if reader.position[partition] > before:
                    deadline = monotonic() + self.connection.timeout
                elif monotonic() >= deadline:
                    raise EngineDown(f"Kafka, read {topic}: no answer")
                if batch:
                    yield batch
        finally:
            reader.close()
