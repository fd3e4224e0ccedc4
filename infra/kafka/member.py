"""One member of a consumer group: it reads the partitions that the group gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from infra.kafka.cluster import LOG, Connection
from infra.kafka.faults import down, error_of, fault
from infra.ports import EngineDown, Fenced, Position, Record

# The group gave our partitions to others, or is about to: they read again what we have not
# committed.
_NO_LONGER_OURS = frozenset(
    (
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError._NO_OFFSET,
        KafkaError._ASSIGNMENT_LOST,
    )
)
_AHEAD_KIB = 4096


class KafkaMember:
    """Satisfies Member. A partition that stays is not taken away meanwhile (KIP-429).

    `instance` names a static member (KIP-345): whoever comes back under the same name within the
    session's time has its partitions at once. All calls are made by one thread.
    """

    def __init__(
        self,
        connection: Connection,
        translate: Callable[[Message], Record],
        group: str,
        topic: str,
        instance: str = "",
        session: float = 10.0,
    ) -> None:
        """`group` and `topic` by Kafka's names of them; `session` in seconds."""
        self._timeout = connection.timeout
        self._translate = translate
        self._topic = topic
        self._held: set[int] = set()
        named = {"group_instance_id": instance} if instance else {}
        self._consumer = Consumer(
            connection.settings(
                group_id=group,
                enable_auto_commit=False,
                enable_auto_offset_store=False,
                isolation_level="read_committed",
                # A group that is new begins with the first record still kept.
                auto_offset_reset="earliest",
                partition_assignment_strategy="cooperative-sticky",
                session_timeout_ms=int(session * 1000),
                heartbeat_interval_ms=int(session * 300),
                queued_max_messages_kbytes=_AHEAD_KIB,
                fetch_queue_backoff_ms=10,
                fetch_wait_max_ms=100,
                **named,
            ),
            logger=LOG,
        )
        self._consumer.subscribe(
            [topic], on_assign=self._given, on_revoke=self._taken, on_lost=self._taken
        )

    @property
    def held(self) -> frozenset[int]:
        """The partitions that it was given; changed by `poll` alone."""
        return frozenset(self._held)

    def poll(self, limit: int, timeout: float) -> Sequence[Record]:
        """Up to `limit` records; waits at most `timeout` seconds when there is none.

        Raises EngineDown when Kafka refuses, and Fenced when another has this member's name.
        """
        messages = self._consumer.consume(limit, 0)
        if not messages:
            first = self._consumer.poll(timeout)
            if first is None:
                return []
            messages = [first, *(self._consumer.consume(limit - 1, 0) if limit > 1 else [])]
        return self._records(messages)

    def commit(self, position: Position) -> None:
        """Set how far the group has come; nothing for what the group took away.

        Raises EngineDown and Fenced.
        """
        offsets = [TopicPartition(self._topic, p, o) for p, o in position.items()]
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as e:
            if error_of(e).code() not in _NO_LONGER_OURS:
                raise self._fault("commit", e) from e

    def close(self) -> None:
        """Leave the group (a static member keeps its place for the session's time)."""
        self._consumer.close()

    def _records(self, messages: Sequence[Message]) -> list[Record]:
        found: list[Record] = []
        for message in messages:
            error = message.error()
            if error is None:
                # Partitions come and go within `consume`: some of it may be of one that has gone.
                if message.partition() in self._held:
                    found.append(self._translate(message))
            elif error.code() == KafkaError.FENCED_INSTANCE_ID:
                raise Fenced(f"consume {self._topic}: {error.name()}")
            elif not error.retriable() and error.code() != KafkaError._MAX_POLL_EXCEEDED:
                raise down(f"consume {self._topic}", error)
        return found

    def _fault(self, what: str, e: KafkaException) -> EngineDown | Fenced:
        error = error_of(e)
        if error.code() == KafkaError.FENCED_INSTANCE_ID:
            return Fenced(f"{what} {self._topic}: {error.name()}")
        return fault(f"{what} {self._topic}", e)

    def _given(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._held.update(p.partition for p in partitions)

    def _taken(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._held.difference_update(p.partition for p in partitions)
