"""The consumer loop on Kafka keeps the contract of runners."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.partitioned_runners import PartitionedRunnerContract
from tests.streams.kafka_rig import DrivenConsumer, KafkaRig

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


@pytest.fixture
def rig(kafka: str, tmp_path: Path) -> Iterator[KafkaRig]:
    made = KafkaRig(kafka, tmp_path, DrivenConsumer)
    yield made
    made.close()


class TestConsumerRunner(PartitionedRunnerContract):
    """The contract, on Kafka."""
