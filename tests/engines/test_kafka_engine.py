"""A real Kafka: it starts, keeps what it acknowledged through SIGKILL, and stops."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from infra.engines import lifecycle
from infra.engines.cli import main
from infra.engines.engine import EngineError
from infra.engines.kafka import KafkaBroker, KafkaEngine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    with KafkaBroker(tmp_path / "kafka") as broker:
        yield broker


def produce(broker: KafkaBroker, values: list[bytes]) -> None:
    failed: list[object] = []
    producer = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True})
    for value in values:
        producer.produce("t", value, on_delivery=lambda e, _: failed.append(e) if e else None)
    assert producer.flush(30) == 0
    assert failed == []


def read(broker: KafkaBroker, count: int) -> list[bytes | None]:
    settings = {
        "bootstrap.servers": broker.bootstrap,
        "group.id": "reader",
        "enable.auto.commit": False,
    }
    consumer = Consumer(settings)
    try:
        consumer.assign([TopicPartition("t", 0, 0)])
        return [message.value() for message in consumer.consume(count, 30)]
    finally:
        consumer.close()


def make_topic(broker: KafkaBroker) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic("t", 1, 1)])["t"].result(30)


def test_what_was_acknowledged_survives_sigkill(broker: KafkaBroker) -> None:
    make_topic(broker)
    values = [b"%d" % n for n in range(100)]
    produce(broker, values)
    address = broker.bootstrap
    broker.kill()
    broker.start()
    assert broker.bootstrap == address
    assert read(broker, 100) == values
    produce(broker, [b"after"])
    assert read(broker, 101)[-1] == b"after"


def test_a_stopped_broker_keeps_its_data(broker: KafkaBroker) -> None:
    make_topic(broker)
    produce(broker, [b"kept"])
    broker.stop()
    broker.start()
    assert read(broker, 1) == [b"kept"]


def test_two_brokers_run_side_by_side(broker: KafkaBroker, tmp_path: Path) -> None:
    with KafkaBroker(tmp_path / "other") as other:
        assert other.bootstrap != broker.bootstrap
        make_topic(broker)
        make_topic(other)


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/letter").touch()
    with pytest.raises(EngineError, match="no data folder of Kafka"):
        KafkaBroker(tmp_path).start()
    assert (tmp_path / "data/letter").exists()


def test_the_command_starts_shows_and_stops_from_separate_calls(tmp_path: Path) -> None:
    def call(*arguments: str) -> dict[str, object]:
        done = CliRunner().invoke(main, [*arguments, "--data", str(tmp_path), "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    assert call("status")["state"] == "stopped"
    started = call("start", "kafka")
    assert started["state"] == "running"
    assert call("status", "kafka") == started
    assert call("stop")["state"] == "stopped"
    assert lifecycle.status(KafkaEngine(), tmp_path / "kafka").condition == "stopped"
