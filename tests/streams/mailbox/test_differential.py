"""The product and the naive model agree on random histories."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from random import Random

import apsw
import pytest

from streams.mailbox.sqlite import SqliteMailboxState
from tests.model.driver import Driver, Rig
from tests.model.embedded_rig import EmbeddedRig
from tests.model.histories import history
from tests.model.naive import Naive
from tests.model.stage_rig import StageRig
from tests.model.view import ModelView, difference

BLOCK = 25
FAST = range(0, 200, BLOCK)
REST = range(200, 2000, BLOCK)

_BOXES = "select mailbox_id, head, recorded_at, opened from box where head > 0"


def compare(rig: StageRig | EmbeddedRig, seed: int, random: Random) -> None:
    driver, model = Driver(rig), Naive()
    for step in history(seed):
        # The clock may run backwards; what is recorded does not.
        rig.clock.now = step.now - random.choice((0, 0, 30_000_000))
        model.apply(step.commands, step.letters, step.secrets)
        driver.submit(step.commands, step.letters, step.secrets)
        seen, expected = driver.visible(), remembered(model.view(), rig)
        assert seen.keys() == expected.keys()
        for mailbox_id, view in expected.items():
            wrong = difference(seen[mailbox_id], view)
            assert not wrong, f"history {seed}: {wrong}"


def remembered(view: ModelView, rig: Rig) -> ModelView:
    """Take out the outcomes that a crash forgot, and the boxes of which nothing else is known."""
    kept = {
        m: dataclasses.replace(
            box, outcomes={k: v for k, v in box.outcomes.items() if k not in rig.forgotten}
        )
        for m, box in view.items()
    }
    return {m: box for m, box in kept.items() if box.outcomes}


def run_on_stage(seed: int) -> None:
    random = Random(seed)
    rig = StageRig(random, falls=seed % 3 == 0)
    compare(rig, seed, random)
    assert_state_is_the_fold(rig, random)


def assert_state_is_the_fold(rig: StageRig, random: Random) -> None:
    """What partial loads have left row by row is what folding the events alone gives."""
    again = apsw.Connection(":memory:")
    stage = rig.new_stage(SqliteMailboxState(again))
    at = 0
    while at < len(rig.recorded):
        size = random.randint(1, 20)
        stage.recover(rig.recorded[at : at + size])
        at += size
    assert rows(again) == rows(rig.connection)


def rows(connection: apsw.Connection) -> dict[str, set[tuple[object, ...]]]:
    """Return the state, with mailboxes by identifier; outcomes, which know refusals too, apart."""
    boxes = dict(connection.execute("select id, mailbox_id from box where head > 0"))
    found: dict[str, set[tuple[object, ...]]] = {"box": set(connection.execute(_BOXES))}
    tables = ("label", "filter", "message", "reference", "thread", "candidate", "retry")
    for table in tables:
        every = connection.execute(f"select * from box_{table}")
        found[table] = {(boxes[row[0]], *row[1:]) for row in every}
    return found


@pytest.mark.parametrize("block", FAST)
def test_stage_and_model_agree(block: int) -> None:
    for seed in range(block, block + BLOCK):
        run_on_stage(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", REST)
def test_stage_and_model_agree_on_all_histories(block: int) -> None:
    for seed in range(block, block + BLOCK):
        run_on_stage(seed)


def run_embedded(seed: int, folder: Path) -> None:
    random = Random(seed)
    rig = EmbeddedRig(folder, random)
    try:
        compare(rig, seed, random)
    finally:
        rig.close()


def test_embedded_runner_and_model_agree(tmp_path: Path) -> None:
    for seed in range(8):
        run_embedded(seed, tmp_path / str(seed))


@pytest.mark.slow
@pytest.mark.parametrize("block", range(0, 2000, BLOCK))
def test_embedded_runner_and_model_agree_on_all_histories(block: int, tmp_path: Path) -> None:
    for seed in range(block, block + BLOCK):
        run_embedded(seed, tmp_path / str(seed))
