"""The product and the naive model agree on random histories."""

from __future__ import annotations

import dataclasses
from random import Random

import apsw
import pytest

from streams.mailbox.sqlite import SqliteMailboxState
from tests.model.histories import history
from tests.model.naive import Naive
from tests.model.stage_driver import StageDriver
from tests.model.view import ModelView

BLOCK = 25
FAST = range(0, 200, BLOCK)
ALL = range(200, 2000, BLOCK)

_TABLES = {
    "box": "select mailbox_id, head, recorded_at, opened from box",
    "box_label": "select * from {}",
    "box_filter": "select * from {}",
    "box_message": "select * from {}",
    "box_reference": "select * from {}",
    "box_thread": "select * from {}",
    "box_candidate": "select * from {}",
    "box_retry": "select * from {}",
}


def run(seed: int) -> None:
    random = Random(seed)
    driver, model = StageDriver(random, falls=seed % 3 == 0), Naive()
    for step in history(seed):
        # The clock may run backwards; what is recorded does not.
        driver.clock.now = step.now - random.choice((0, 0, 30_000_000))
        model.apply(step.commands, step.letters, step.secrets)
        driver.submit(step.commands, step.letters, step.secrets)
        assert driver.visible() == without(model.view(), driver.forgotten)
    assert_state_is_the_fold(driver, random)


def without(view: ModelView, forgotten: set[str]) -> ModelView:
    """Take out the outcomes that a crash forgot, and the boxes of which nothing else is known."""
    kept = {
        m: dataclasses.replace(
            box, outcomes={k: v for k, v in box.outcomes.items() if k not in forgotten}
        )
        for m, box in view.items()
    }
    return {m: box for m, box in kept.items() if box.outcomes}


def assert_state_is_the_fold(driver: StageDriver, random: Random) -> None:
    again = apsw.Connection(":memory:")
    stage = driver.new_stage(SqliteMailboxState(again))
    at = 0
    while at < len(driver.events):
        size = random.randint(1, 20)
        stage.recover(driver.events[at : at + size])
        at += size
    assert dump(again) == dump(driver.connection)


def dump(connection: apsw.Connection) -> dict[str, set[tuple[object, ...]]]:
    numbers = dict(connection.execute("select id, mailbox_id from box"))
    found: dict[str, set[tuple[object, ...]]] = {}
    for table, sql in _TABLES.items():
        rows = connection.execute(sql.format(table)).fetchall()
        found[table] = {(numbers.get(r[0], r[0]), *r[1:]) for r in rows if table != "box" or r[1]}
    return found


@pytest.mark.parametrize("block", FAST)
def test_stage_and_model_agree(block: int) -> None:
    for seed in range(block, block + BLOCK):
        run(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", ALL)
def test_stage_and_model_agree_on_all_histories(block: int) -> None:
    for seed in range(block, block + BLOCK):
        run(seed)
