"""A log of its own for a test, on the broker that all tests share."""

from __future__ import annotations

import itertools
import time
import uuid
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from infra.kafka.cluster import Connection
from infra.kafka.log import KafkaLog
from infra.ports import Clock, Output
from infra.registry.file import FileRegistry
from schemas import commands
from schemas.identity import derived
from schemas.topics import MAILBOX_COMMANDS

PARTITIONS = 4


class MovedClock:
    """A clock that the test moves, microseconds."""

    def __init__(self, now: int = 1_700_000_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def system_clock() -> int:
    return time.time_ns() // 1000


def new_log(kafka: str, folder: Path, clock: Clock, timeout: float = 30.0) -> KafkaLog:
    prefix = f"{uuid.uuid4().hex[:12]}."
    log = KafkaLog(Connection(kafka, timeout), FileRegistry(folder / "schemas.json"), clock, prefix)
    log.ensure_topics(PARTITIONS)
    return log


def same_log(log: KafkaLog, folder: Path, clock: Clock) -> KafkaLog:
    """The log as another process has it."""
    registry = FileRegistry(folder / "schemas.json")
    return KafkaLog(log.connection, registry, clock, log.prefix)


def raw(log: KafkaLog, kafka: str, topic: str) -> list[tuple[bytes, dict[str, bytes]]]:
    """Values and headers as any other client sees them."""
    count = sum(log.end(topic).values())
    if count == 0:
        return []
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "raw"})
    try:
        physical = log.prefix + topic
        consumer.assign([TopicPartition(physical, p, 0) for p in range(PARTITIONS)])
        messages = consumer.consume(count, 20)
        return [(m.value(), dict(m.headers())) for m in messages]
    finally:
        consumer.close()


_counter = itertools.count()


def command(mailbox: str = "m", name: str | None = None) -> Output:
    """A small command for a mailbox; each has another id."""
    text = name if name is not None else f"command {next(_counter)}"
    return Output.of(
        commands.OpenMailbox(
            command_id=derived(text), mailbox_id=derived(mailbox), occurred_at=1, actor=text
        )
    )


def key(mailbox: str = "m") -> str:
    return derived(mailbox)


TOPIC = MAILBOX_COMMANDS
