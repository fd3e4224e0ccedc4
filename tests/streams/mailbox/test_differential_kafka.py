"""The product on Kafka and the naive model agree on random histories, by both runners.

Many histories share one set of topics. Before most rounds something is arranged to befall the
worker: a SIGKILL at a point between outputs, state and position, or its state is lost or set back.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.model.histories import START
from tests.model.kafka_rig import POINTS, KafkaRig
from tests.model.side_by_side import SideBySide

pytestmark = pytest.mark.engine

HISTORIES = 2000
AT_ONCE = 200
HOUR = 3_600_000_000

RUNNERS = pytest.mark.parametrize("runner", ["consumer", "faust"])


def run(kafka: str, folder: Path, runner: str, seeds: range) -> None:
    random = Random(seeds.start)
    rig = KafkaRig(kafka, folder, runner, random)

    def befall(number: int) -> None:
        # The clock may run backwards; what is recorded does not.
        rig.clock.now = START + number * HOUR - random.choice((0, 0, 30_000_000))
        match number % 5:
            case 2:
                rig.keep_state()
            case 4:
                rig.lose_state()
            case _:
                rig.kill_at(random.choice(POINTS))

    try:
        SideBySide(rig, seeds, random).tell(befall)
        print(f"{runner}: {len(seeds)} histories, {rig.commands} commands, {rig.events} events,")
        print(f"{rig.kills} kills, {rig.losses} losses of state")
        assert rig.kills
        assert rig.losses
    finally:
        rig.close()


@RUNNERS
@pytest.mark.timeout(300)
def test_runner_on_kafka_and_model_agree(runner: str, kafka: str, tmp_path: Path) -> None:
    run(kafka, tmp_path, runner, range(AT_ONCE))


@pytest.mark.slow
@pytest.mark.timeout(600)
@RUNNERS
@pytest.mark.parametrize("first", range(AT_ONCE, HISTORIES, AT_ONCE))
def test_runner_on_kafka_and_model_agree_on_all_histories(
    runner: str, first: int, kafka: str, tmp_path: Path
) -> None:
    run(kafka, tmp_path, runner, range(first, first + AT_ONCE))
