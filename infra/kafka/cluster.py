"""What is asked of a Kafka cluster about topics, offsets and groups, in types.

confluent-kafka's administration answers with untyped futures; this is the one place that
unwraps them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from infra.kafka.faults import error_of, fault
from infra.ports import EngineDown, Position

T = TypeVar("T")

_POLL_SECONDS = 0.05

# A partition or a group has changed its leader, or has none yet; an offset is part of a
# transaction that is ending.
_NOT_YET = frozenset(
    (
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError._NOENT,  # librdkafka's for a leader that it does not know
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
    )
)

LOG = logging.getLogger("mailfold.kafka")
"""Takes what librdkafka has to say, instead of standard error."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How the cluster is reached: `host:port,…`, and how long (seconds) an answer may take."""

    servers: str
    timeout: float = 30.0

    def settings(self, **more: str | float | bool) -> dict[str, Any]:
        """Settings of a client, with `_` in names for `.`."""
        named = {name.replace("_", "."): value for name, value in more.items()}
        return {"bootstrap.servers": self.servers, **named}


class Cluster:
    """Topics, offsets and groups of one cluster. Every method raises EngineDown."""

    def __init__(self, connection: Connection) -> None:
        self._timeout = connection.timeout
        self._admin = AdminClient(connection.settings(), logger=LOG)
        self._connection = connection
        self._mutex = threading.Lock()
        # One of its own: an answer about a group may be long in coming.
        self._asking = threading.Lock()
        self._consumers: dict[str, Consumer] = {}
        self._partitions: dict[str, int] = {}

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; that never changes while it exists."""
        with self._mutex:
            if topic not in self._partitions:
                self._partitions.update(self.topics())
            try:
                return self._partitions[topic]
            except KeyError:
                raise EngineDown(f"Kafka has no topic {topic}: make the topics first") from None

    def brokers(self) -> int:
        """How many brokers there are."""
        try:
            return len(self._admin.list_topics(timeout=self._timeout).brokers)
        except KafkaException as e:
            raise fault("list brokers", e) from e

    def topics(self) -> dict[str, int]:
        """All topics that can be used, with their number of partitions."""
        try:
            metadata = self._admin.list_topics(timeout=self._timeout)
        except KafkaException as e:
            raise fault("list topics", e) from e
        return {
            name: len(found.partitions)
            for name, found in metadata.topics.items()
            # A topic just made has no partitions yet, and then none with a leader.
            if found.partitions and all(p.leader >= 0 for p in found.partitions.values())
        }

    def create(self, topics: Iterable[NewTopic]) -> None:
        """Make topics and wait until they can be used; one that is there stays as it is."""
        wanted = list(topics)
        if not wanted:
            return
        futures = self._admin.create_topics(wanted, operation_timeout=self._timeout)
        for future in futures.values():
            try:
                future.result(self._timeout)
            except KafkaException as e:
                if error_of(e).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise fault("create topics", e) from e
        # The controller has made them; the brokers hear of it a little later.
        deadline = time.monotonic() + self._timeout
        while missing := {topic.topic for topic in wanted} - self.topics().keys():
            if time.monotonic() >= deadline:
                raise EngineDown(f"Kafka, create topics: no leader for {min(missing)}")
            time.sleep(_POLL_SECONDS)

    def earliest(self, topic: str) -> dict[int, int]:
        """The first offset still kept, by partition."""
        return self._offsets(topic, OffsetSpec.earliest())

    def latest(self, topic: str) -> dict[int, int]:
        """The offset behind the last one that can be read committed, by partition."""
        return self._offsets(topic, OffsetSpec.latest())

    def at(self, topic: str, milliseconds: int) -> dict[int, int]:
        """The offset of the first record with that time or a later one; -1 for none."""
        return self._offsets(topic, OffsetSpec.for_timestamp(milliseconds))

    def _offsets(self, topic: str, spec: OffsetSpec) -> dict[int, int]:
        asked = {TopicPartition(topic, p): spec for p in range(self.partitions(topic))}

        def ask() -> dict[int, int]:
            futures = self._admin.list_offsets(
                asked,
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=self._timeout,
            )
            return {each.partition: f.result(self._timeout).offset for each, f in futures.items()}

        return self._asked("list offsets", ask)

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """The offsets that a group has committed for a topic, by partition, where it has."""
        # Not the AdminClient's list_consumer_group_offsets: while the group's coordinator loads
        # or moves, librdkafka 2.16 follows a null pointer there (rd_kafka_handle_OffsetFetch
        # asks the consumer group of a client that has none).
        asked = [TopicPartition(topic, p) for p in range(self.partitions(topic))]

        def ask() -> dict[int, int]:
            with self._asking:
                answer = self._consumer(group).committed(asked, self._timeout)
            for each in answer:
                if each.error is not None:
                    raise KafkaException(each.error)
            return {each.partition: each.offset for each in answer if each.offset >= 0}

        return self._asked("ask for group offsets", ask)

    def close(self) -> None:
        """Give the connections back."""
        with self._asking:
            while self._consumers:
                self._consumers.popitem()[1].close()

    def _consumer(self, group: str) -> Consumer:
        """A consumer that knows a group and is no member of it."""
        if group not in self._consumers:
            self._consumers[group] = Consumer(
                self._connection.settings(
                    group_id=group,
                    enable_auto_commit=False,
                    # Offsets within an open transaction are waited for (KIP-447).
                    isolation_level="read_committed",
                ),
                logger=LOG,
            )
        return self._consumers[group]

    def commit(self, group: str, topic: str, position: Position) -> None:
        """Set the offsets of a group that has no members now."""
        wanted = [TopicPartition(topic, p, offset) for p, offset in position.items()]

        # By a consumer too, for the same reason.
        def ask() -> object:
            with self._asking:
                return self._consumer(group).commit(offsets=wanted, asynchronous=False)

        self._asked("set group offsets", ask)

    def delete_before(self, topic: str, position: Position) -> None:
        """Delete all records before a position."""
        wanted = [TopicPartition(topic, p, offset) for p, offset in position.items()]

        def ask() -> list[object]:
            futures = self._admin.delete_records(wanted, request_timeout=self._timeout)
            return [future.result(self._timeout) for future in futures.values()]

        self._asked("delete records", ask)

    def _asked(self, what: str, ask: Callable[[], T]) -> T:
        """Ask again while the answer is that it is not known yet."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return ask()
            except KafkaException as e:
                if error_of(e).code() not in _NOT_YET or time.monotonic() >= deadline:
                    raise fault(what, e) from e
            time.sleep(_POLL_SECONDS)
            self.topics()  # who leads a partition may have changed: learn it
