"""Appends to the log from any thread: durable on all in-sync replicas when it returns."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from infra.kafka.cluster import LOG, Connection
from infra.kafka.faults import down, fault
from infra.kafka.records import Produced
from infra.ports import EngineDown

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Addressed:
    """A record and where it goes; `topic` by Kafka's name of it."""

    topic: str
    partition: int
    content: Produced


class Tally:
    """Counts the reports on the records of one append."""

    def __init__(self, expected: int) -> None:
        self._left = expected
        self._done = threading.Event()
        self.error: KafkaError | None = None

    def __call__(self, error: KafkaError | None, _: Message) -> None:
        """Take a report of the producer; all come in its polling thread."""
        if error is not None and self.error is None:
            self.error = error
        self._left -= 1
        if self._left <= 0:
            self._done.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the last report; whether it came."""
        return self._done.wait(seconds)


class Appender:
    """An idempotent producer (KIP-98) and the thread that takes its reports."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._mutex = threading.Lock()
        self._producer: Producer | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="kafka-appender", daemon=True)

    def append(self, addressed: Sequence[Addressed]) -> None:
        """Append in order within each partition. Raises EngineDown.

        After EngineDown some of them may have been appended, or may be yet: to append them
        again is harmless, since the first record of an event_id counts.
        """
        if not addressed:
            return
        producer = self._started()
        tally = Tally(len(addressed))
        for each in addressed:
            self._hand_over(producer, each, tally)
        # The producer gives up first, so this wait ends with a report.
        if not tally.wait(2 * self._connection.timeout):
            raise EngineDown("Kafka, append: no report")
        if tally.error is not None:
            if tally.error.fatal():
                self._replace(producer)
            raise down("append", tally.error)

    def close(self) -> None:
        """Wait for what is under way and end the thread."""
        self._closed.set()
        with self._mutex:
            producer, self._producer = self._producer, None
        if producer is not None:
            self._thread.join()
            producer.flush(self._connection.timeout)

    def _hand_over(self, producer: Producer, each: Addressed, tally: Tally) -> None:
        while True:
            try:
                producer.produce(
                    each.topic,
                    each.content.value,
                    each.content.key,
                    each.partition,
                    on_delivery=tally,
                    timestamp=each.content.timestamp,
                    headers=each.content.headers,
                )
            except BufferError:
                self._closed.wait(_POLL_SECONDS)  # full: the thread makes room
            except KafkaException as e:
                self._replace(producer)
                raise fault("append", e) from e
            else:
                return

    def _started(self) -> Producer:
        with self._mutex:
            if self._closed.is_set():
                raise EngineDown("Kafka, append: the log is closed")
            if self._producer is None:
                self._producer = self._made()
                if not self._thread.is_alive():
                    self._thread.start()
            return self._producer

    def _made(self) -> Producer:
        milliseconds = int(self._connection.timeout * 1000)
        producer = Producer(
            self._connection.settings(
                enable_idempotence=True,
                acks="all",
                linger_ms=2,
                message_timeout_ms=milliseconds,
                batch_size=1_000_000,
            ),
            logger=LOG,
        )
        try:
            # Known brokers first: else librdkafka asks for its producer id, finds none to ask,
            # and tries again after half a second.
            producer.list_topics(timeout=self._connection.timeout)
        except KafkaException as e:
            raise fault("append", e) from e
        return producer

    def _replace(self, broken: Producer) -> None:
        """After a fatal error a producer is of no more use; the next append makes another."""
        with self._mutex:
            if self._producer is broken:
                self._producer = None

    def _serve(self) -> None:
        while not self._closed.is_set():
            producer = self._producer
            if producer is None:
                self._closed.wait(_POLL_SECONDS)
            else:
                producer.poll(_POLL_SECONDS)
