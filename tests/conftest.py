from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.engines.kafka import KafkaBroker


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a real broker that all tests of a session share; topics have fresh names."""
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.bootstrap
