"""The outputs of one partition of a stage, in transactions that fence whoever had it before."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from infra.kafka.appender import Addressed
from infra.kafka.cluster import LOG, Connection
from infra.kafka.faults import error_of, fault
from infra.kafka.headers import position_text
from infra.ports import Fenced, Output, Position, Record

_POLL_SECONDS = 0.1


class PartitionWriter:
    """A transactional producer, made when a partition of a stage is assigned.

    Making it aborts what an earlier owner left open and fences that owner: its next commit
    raises Fenced. So whoever makes one must then fold the stage's outputs to their end before
    it decides anything: nobody else can add to them any more.

    After Fenced the process must stop. After EngineDown it is not known whether the transaction
    was committed: close this writer, make another, fold again.
    """

    def __init__(
        self,
        connection: Connection,
        address: Callable[[Output, Mapping[str, str]], Addressed],
        prefix: str,
        transactional_id: str,
    ) -> None:
        self._connection = connection
        self._timeout = connection.timeout
        self._address = address
        self._prefix = prefix
        self._behind = 0
        self._groups: dict[str, Consumer] = {}
        self._producer = Producer(
            connection.settings(
                transactional_id=transactional_id,
                transaction_timeout_ms=max(int(self._timeout * 1000), 10_000),
                acks="all",
                linger_ms=2,
                batch_size=1_000_000,
            ),
            logger=LOG,
        )
        try:
            # Known brokers first: else librdkafka asks for its producer id, finds none to ask,
            # and tries again after half a second.
            self._producer.list_topics(timeout=self._timeout)
            self._producer.init_transactions(self._timeout)
        except KafkaException as e:
            del self._producer
            raise fault(f"take over {transactional_id}", e) from e

    @contextmanager
    def transaction(self) -> Generator[KafkaTransaction]:
        """Outputs and position, committed together at the end of the block.

        An exception in the block aborts. Raises Fenced and EngineDown.
        """
        try:
            self._producer.begin_transaction()
        except KafkaException as e:
            raise fault("begin a transaction", e) from e
        transaction = KafkaTransaction(self)
        try:
            yield transaction
        except BaseException:
            self._abort()
            raise
        self._commit()

    def write(self, outputs: Sequence[Output], causes: Mapping[str, Record]) -> int | None:
        """Append as one transaction; the offset behind the last, None when there is no output.

        `causes` are records of the stage's source by event_id, found by the outputs'
        `caused_by`. Raises Fenced and EngineDown.
        """
        if not outputs:
            return None
        positions = {
            event_id: position_text(self._prefix + r.topic, r.partition, r.offset)
            for event_id, r in causes.items()
        }
        self._behind = 0
        with self.transaction():
            for output in outputs:
                self.produce(output, positions)
        return self._behind

    def close(self) -> None:
        """Give the connection back; what is not committed is aborted by whoever comes next."""
        for consumer in self._groups.values():
            consumer.close()
        # Producer.close would wait for what can't be sent, and raise when we were fenced.
        del self._producer

    def produce(self, output: Output, causes: Mapping[str, str]) -> None:
        """Add an output to the transaction that is open; `causes` are positions by event_id."""
        each = self._address(output, causes)
        while True:
            try:
                self._producer.produce(
                    each.topic,
                    each.content.value,
                    each.content.key,
                    each.partition,
                    on_delivery=self._delivered,
                    timestamp=each.content.timestamp,
                    headers=each.content.headers,
                )
            except BufferError:
                self._producer.poll(_POLL_SECONDS)
            except KafkaException as e:
                raise fault("append in a transaction", e) from e
            else:
                return

    def send_position(self, group: str, topic: str, position: Position) -> None:
        """Add offsets of a group to the transaction that is open."""
        offsets = [
            TopicPartition(self._prefix + topic, p, offset) for p, offset in position.items()
        ]
        name = self._prefix + group
        if name not in self._groups:
            self._groups[name] = Consumer(
                self._connection.settings(group_id=name, enable_auto_commit=False), logger=LOG
            )
        metadata = self._groups[name].consumer_group_metadata()
        try:
            self._producer.send_offsets_to_transaction(offsets, metadata, self._timeout)
        except KafkaException as e:
            raise fault("commit a position", e) from e

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        # What failed makes the commit fail, which says so.
        if error is None:
            self._behind = max(self._behind, (message.offset() or 0) + 1)

    def _commit(self) -> None:
        try:
            self._producer.commit_transaction(self._timeout)
        except KafkaException as e:
            if error_of(e).txn_requires_abort():
                self._abort()
            raise fault("commit a transaction", e) from e

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(self._timeout)
        except KafkaException as e:
            error = fault("abort a transaction", e)
            if isinstance(error, Fenced):
                raise error from e
            # The broker aborts it when its time is over, or the next owner does: there is
            # nothing more to be done here, and the reason for the abort is what counts.


class KafkaTransaction:
    """Satisfies LogTransaction."""

    def __init__(self, writer: PartitionWriter) -> None:
        self._writer = writer

    def append(self, outputs: Sequence[Output]) -> None:
        """Append in order. Raises Fenced and EngineDown."""
        for output in outputs:
            self._writer.produce(output, {})

    def commit_position(self, group: str, topic: str, position: Position) -> None:
        """Set how far `group` has come. Raises Fenced and EngineDown."""
        self._writer.send_position(group, topic, position)
