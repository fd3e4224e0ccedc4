"""Messages reach a stage hosted by Faust once each, in order, committed ones only."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import faust
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from streams.runners.faust_transport import install

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

Handle = Callable[[Sequence[faust.Event]], Awaitable[None]]


@pytest.fixture
def topic(kafka: str) -> str:
    name = f"t-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(name, 3, 1)])[name].result(30)
    return name


def produce(kafka: str, topic: str, values: Sequence[bytes]) -> None:
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 5, "enable.idempotence": True})
    for n, value in enumerate(values):
        producer.produce(topic, value, partition=n % 3)
        producer.poll(0)
    assert producer.flush(30) == 0


async def host(
    kafka: str, topic: str, folder: Path, handle: Handle, until: asyncio.Event, **settings: object
) -> str:
    group = f"g-{uuid.uuid4().hex}"
    app = faust.App(
        group,
        broker=f"kafka://{kafka}",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        broker_commit_interval=0.2,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        broker_max_poll_records=500,
        datadir=str(folder),
        **settings,
    )
    source = app.topic(
        topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )

    @app.agent(source, name=group)
    async def agent(stream: faust.Stream) -> None:
        async for events in stream.noack_take(500, within=0.05):
            await handle(events)
            for event in events:
                event.ack()

    app.finalize()
    install(app)
    await app.start()
    try:
        await asyncio.wait_for(until.wait(), 60)
        await asyncio.sleep(0.5)
    finally:
        await app.stop()
    return group


def in_order(seen: Sequence[faust.Event]) -> bool:
    offsets: dict[int, int] = {}
    for event in seen:
        partition = event.message.partition
        if event.message.offset <= offsets.get(partition, -1):
            return False
        offsets[partition] = event.message.offset
    return True


def committed(kafka: str, group: str, topic: str) -> list[int]:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group})
    try:
        found = consumer.committed([TopicPartition(topic, p) for p in range(3)], 30)
        return [each.offset for each in found]
    finally:
        consumer.close()


def test_every_message_is_handed_over_once_in_order_and_committed(
    kafka: str, topic: str, tmp_path: Path
) -> None:
    values = [b"%d" % n for n in range(6000)]
    produce(kafka, topic, values)
    seen: list[faust.Event] = []
    done = asyncio.Event()

    async def handle(events: Sequence[faust.Event]) -> None:
        seen.extend(events)
        if len(seen) >= len(values):
            done.set()

    group = asyncio.run(host(kafka, topic, tmp_path, handle, done))
    assert sorted(int(event.value) for event in seen) == list(range(6000))
    assert in_order(seen)
    assert committed(kafka, group, topic) == [2000, 2000, 2000]


def test_full_buffers_lose_nothing(kafka: str, topic: str, tmp_path: Path) -> None:
    produce(kafka, topic, [b"%d" % n for n in range(3000)])
    seen: list[faust.Event] = []
    done = asyncio.Event()

    async def handle(events: Sequence[faust.Event]) -> None:
        await asyncio.sleep(0.01)
        seen.extend(events)
        if len(seen) >= 3000:
            done.set()

    # Far fewer than one fetch brings.
    asyncio.run(host(kafka, topic, tmp_path, handle, done, stream_buffer_maxsize=50))
    assert sorted(int(event.value) for event in seen) == list(range(3000))
    assert in_order(seen)


def test_records_of_an_aborted_transaction_are_not_seen(
    kafka: str, topic: str, tmp_path: Path
) -> None:
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": topic})
    producer.init_transactions(30)
    for n in range(20):
        producer.begin_transaction()
        for partition in range(3):
            producer.produce(topic, b"%d" % n, partition=partition)
        producer.flush(30)
        if n % 2:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
    seen: list[faust.Event] = []
    done = asyncio.Event()

    async def handle(events: Sequence[faust.Event]) -> None:
        seen.extend(events)
        if sum(event.value == b"18" for event in seen) == 3:
            done.set()

    group = asyncio.run(host(kafka, topic, tmp_path, handle, done))
    assert sorted(int(event.value) for event in seen) == sorted(list(range(0, 20, 2)) * 3)
    assert in_order(seen)
    # 20 transactions of one record and one marker; the last record committed is at 36.
    assert committed(kafka, group, topic) == [37, 37, 37]
