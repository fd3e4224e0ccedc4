"""The end-to-end suite on the cluster profile: Kafka as the log, by both runners."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.suite import EndToEnd
from tests.system import System

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=["faust", "consumer"])
def system(
    request: pytest.FixtureRequest, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    made = System(
        tmp_path_factory.mktemp("cluster") / "data",
        {
            "MAILFOLD_PROFILE": "cluster",
            "MAILFOLD_RUNNER": request.param,
            "MAILFOLD_KAFKA": kafka,
            "MAILFOLD_PARTITIONS": "4",
            "MAILFOLD_TOPIC_PREFIX": f"{uuid.uuid4().hex[:12]}.",
        },
    )
    made.add_account("ann")
    made.add_account("bob")
    made.start()
    yield made
    assert made.stop() == 0


class TestCluster(EndToEnd):
    """The suite."""
