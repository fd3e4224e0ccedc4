from __future__ import annotations

import pytest

from infra.ports import EngineDown, Output
from projections.consumer import AheadOfLog
from projections.ports import Unreadable
from projections.rebuild import status
from projections.verify import verify
from tests.projections.kit import Kit
from tests.projections.memory_log import MemoryLog


def test_it_folds_up_to_the_end_of_all_partitions_and_says_so(kit: Kit) -> None:
    kit.happen(300)
    kit.follow()
    assert kit.heads() == kit.seqs()
    assert kit.bell.rung[0] == "views"


def test_at_the_end_the_lag_is_nothing(kit: Kit) -> None:
    kit.happen(50)
    kit.follow()
    assert [s.lag for s in status(kit.log, kit.versions)] == [0]


def test_nothing_new_wakes_nobody(kit: Kit) -> None:
    kit.happen(20)
    kit.follow()
    rung = len(kit.bell.rung)
    assert kit.consumer.step(0.0) == 0
    assert len(kit.bell.rung) == rung


def test_it_goes_on_where_it_stood(kit: Kit) -> None:
    kit.happen(200)
    kit.consumer.step(0.0)
    kit.consumer.close()
    kit.consumer = kit.another_consumer()
    kit.follow()
    assert kit.heads() == kit.seqs()
    assert verify(kit.log, kit.versions, clock=kit.clock) is None


def test_two_consumers_in_each_others_way_fold_every_event_once(kit: Kit) -> None:
    other = kit.another_consumer(batch=17)
    kit.happen(400)
    while kit.consumer.step(0.0) | other.step(0.0):
        pass
    other.close()
    assert kit.heads() == kit.seqs()
    assert verify(kit.log, kit.versions, clock=kit.clock) is None


def test_a_batch_that_fails_leaves_rows_and_position_as_they_were(kit: Kit) -> None:
    kit.happen(30)
    kit.follow()
    before = kit.heads()
    kit.happen(30)
    key = kit.history.boxes[0].mailbox_id
    kit.log.append([Output("mailbox.events", key, "Delivered", "id", b"\x00")])
    kit.happen(200)
    kit.consumer.close()
    kit.consumer = kit.another_consumer(batch=1000)
    for _ in range(2):
        with pytest.raises(Unreadable):
            kit.follow()
        assert kit.heads() == before


def test_a_projection_of_another_log_is_told(kit: Kit) -> None:
    kit.happen(100)
    kit.follow()
    kit.consumer.close()
    kit.log = MemoryLog()
    kit.consumer = kit.another_consumer()
    with pytest.raises(AheadOfLog):
        kit.consumer.step(0.0)


def test_after_an_engine_was_down_the_next_step_goes_on(kit: Kit) -> None:
    kit.happen(50)

    def fail() -> None:
        raise EngineDown("log")

    kit.log.polled = fail
    for _ in range(3):
        with pytest.raises(EngineDown):
            kit.consumer.step()
    kit.log.polled = lambda: None
    kit.follow()
    assert kit.heads() == kit.seqs()
