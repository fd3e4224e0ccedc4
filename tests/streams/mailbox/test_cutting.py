"""However commands are cut into batches, and however often they come, the same is decided."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from schemas import mailbox_events as e
from tests.model.histories import history
from tests.model.letters import content_of, deliver
from tests.model.stage_driver import StageDriver
from tests.streams.mailbox.kit import BOX, Mailbox, record_of


def told(driver: StageDriver) -> list[e.MailboxEvent]:
    """Return the events of a driver by mailbox, less what differs from run to run."""
    events = [r.decode() for r in driver.events]
    plain = [
        msgspec.structs.replace(x, **({"sealed": b""} if hasattr(x, "sealed") else {}))
        for x in events
        if isinstance(x, e.MailboxEvent)
    ]
    return sorted(plain, key=lambda x: (x.mailbox_id, x.seq))


@pytest.mark.parametrize("seed", range(3000, 3030))
def test_the_cut_of_batches_decides_nothing(seed: int) -> None:
    one, other = StageDriver(Random(seed)), StageDriver(Random(seed + 1), largest=50)
    for step in history(seed):
        for driver in (one, other):
            driver.clock.now = step.now
            driver.submit(step.commands, step.letters, step.secrets)
    assert told(one) == told(other)


def test_a_batch_that_is_decided_again_gives_the_same_identities() -> None:
    box = Mailbox()
    letter = box.letter()
    key = box.driver.keys.ensure([letter.mail_id])[letter.mail_id]
    box.driver.content.put({letter.mail_id: content_of(letter, key)})
    record = record_of(deliver(letter, BOX, box.new_id(), box.now))
    first, second = (box.driver.stage.plan([record]) for _ in range(2))
    assert first.drafts == second.drafts
    assert len(first.drafts) == 4


def test_what_the_state_has_seen_changes_nothing_when_it_is_recovered() -> None:
    box = Mailbox()
    message = box.deliver()
    box.change(message, add_labels=["TRASH"])
    before = box.driver.state.outcome(BOX, box.driver.commands[-1].event_id)
    for _ in range(2):
        box.driver.stage.recover(box.driver.events)
    assert box.driver.state.outcome(BOX, box.driver.commands[-1].event_id) == before
    box.change(message, remove_labels=["TRASH"])
    assert box.labels(message) == {"INBOX", "ALL"}
