"""What is asked of a Kafka cluster about topics, offsets and groups, in types.

confluent-kafka's administration answers with untyped futures; this is the one place that
unwraps them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from infra.kafka.faults import down, error_of, fault
from infra.ports import EngineDown, Position

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
        self._mutex = threading.Lock()
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

    def topics(self) -> dict[str, int]:
        """All topics with their number of partitions."""
        try:
            metadata = self._admin.list_topics(timeout=self._timeout)
        except KafkaException as e:
            raise fault("list topics", e) from e
        return {name: len(found.partitions) for name, found in metadata.topics.items()}

    def create(self, topics: Iterable[NewTopic]) -> None:
        """Make topics; one that is there already stays as it is."""
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
        futures = self._admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=self._timeout
        )
        found: dict[int, int] = {}
        for where, future in futures.items():
            try:
                found[where.partition] = future.result(self._timeout).offset
            except KafkaException as e:
                raise fault("list offsets", e) from e
        return found

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """The offsets that a group has committed for a topic, by partition, where it has."""
        asked = [TopicPartition(topic, p) for p in range(self.partitions(topic))]
        futures = self._admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, asked)],
            # An offset that is part of a transaction still open is not known yet.
            require_stable=True,
            request_timeout=self._timeout,
        )
        answer = self._group_answer("list group offsets", futures[group])
        return {each.partition: each.offset for each in answer if each.offset >= 0}

    def commit(self, group: str, topic: str, position: Position) -> None:
        """Set the offsets of a group that has no members now."""
        wanted = [TopicPartition(topic, p, offset) for p, offset in position.items()]
        futures = self._admin.alter_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, wanted)], request_timeout=self._timeout
        )
        # The request as a whole succeeds when a member holds a partition: each has its own error.
        for each in self._group_answer("set group offsets", futures[group]):
            if each.error is not None:
                raise down("set group offsets", each.error)

    def delete_before(self, topic: str, position: Position) -> None:
        """Delete all records before a position."""
        wanted = [TopicPartition(topic, p, offset) for p, offset in position.items()]
        futures = self._admin.delete_records(wanted, request_timeout=self._timeout)
        for future in futures.values():
            try:
                future.result(self._timeout)
            except KafkaException as e:
                raise fault("delete records", e) from e

    def _group_answer(
        self, what: str, future: Future[ConsumerGroupTopicPartitions]
    ) -> list[TopicPartition]:
        try:
            answer = future.result(self._timeout)
        except KafkaException as e:
            raise fault(what, e) from e
        return answer.topic_partitions or []
