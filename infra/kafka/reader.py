"""Reads one topic in order from a position, committed records only."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from infra.kafka.cluster import LOG, Connection
from infra.kafka.faults import down
from infra.ports import Position

R = TypeVar("R")

# A reader holds what it fetched ahead in memory, for each partition.
_AHEAD_KIB = 4096


class KafkaReader(Generic[R]):
    """A reader of those partitions of a topic that have a position, in no consumer group."""

    def __init__(
        self,
        connection: Connection,
        translate: Callable[[Message], R],
        topic: str,
        position: Position,
    ) -> None:
        """`topic` is Kafka's name of it."""
        self._translate = translate
        self._topic = topic
        self._position = dict(position)
        self._ended: set[int] = set()
        self._consumer = Consumer(
            connection.settings(
                # librdkafka wants a name; it is never used, for nothing is committed.
                group_id="mailfold.reader",
                enable_auto_commit=False,
                enable_auto_offset_store=False,
                isolation_level="read_committed",
                # A position that was trimmed away continues at the first record still kept.
                auto_offset_reset="earliest",
                # The end of a partition tells of offsets that are no records.
                enable_partition_eof=True,
                queued_max_messages_kbytes=_AHEAD_KIB,
                # When that is full, librdkafka would look again after a second.
                fetch_queue_backoff_ms=10,
                # A request that waits for one partition makes the others wait with it.
                fetch_wait_max_ms=100,
            ),
            logger=LOG,
        )
        self._consumer.assign([TopicPartition(topic, p, o) for p, o in position.items()])

    @property
    def position(self) -> Position:
        """Where the next record is read."""
        return dict(self._position)

    def poll(self, limit: int, timeout: float) -> Sequence[R]:
        """Up to `limit` records; waits at most `timeout` seconds when there is none.

        It does not wait on when it has come to the end of all partitions behind offsets that are
        no records: then its position tells something new. Raises EngineDown when Kafka refuses;
        while it can't be reached there is nothing to read.
        """
        deadline = time.monotonic() + timeout
        before = self.position
        while True:
            found = self._take(self._consumer.consume(limit, 0))
            if found or (self._ended >= self._position.keys() and self._position != before):
                return found
            rest = deadline - time.monotonic()
            if rest <= 0:
                return []
            first = self._consumer.poll(rest)
            if first is None:
                return []
            found = self._take([first])
            if found:
                more = self._consumer.consume(limit - 1, 0) if limit > 1 else []
                return [*found, *self._take(more)]

    def close(self) -> None:
        """Give the connection back."""
        self._consumer.close()

    def _take(self, messages: Sequence[Message]) -> list[R]:
        found: list[R] = []
        for message in messages:
            error = message.error()
            partition = message.partition() or 0
            if error is None:
                found.append(self._translate(message))
                self._position[partition] = (message.offset() or 0) + 1
                self._ended.discard(partition)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._position[partition] = message.offset() or 0
                self._ended.add(partition)
            elif not error.retriable():
                raise down(f"read {self._topic}", error)
        return found
