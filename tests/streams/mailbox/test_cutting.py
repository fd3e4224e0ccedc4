"""However commands are cut into batches, and however often they come, the same is decided."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from schemas import mailbox_events as e
from tests.model.driver import Driver
from tests.model.histories import history
from tests.model.letters import content_of, deliver
from tests.model.stage_rig import StageRig
from tests.streams.mailbox.kit import BOX, Mailbox, record_of


def told(rig: StageRig) -> list[e.MailboxEvent]:
    """Return the events by mailbox, less what differs from run to run."""
    events = [r.decode() for r in rig.recorded]
    plain = [
        msgspec.structs.replace(x, **({"sealed": b""} if hasattr(x, "sealed") else {}))
        for x in events
        if isinstance(x, e.MailboxEvent)
    ]
    return sorted(plain, key=lambda x: (x.mailbox_id, x.seq))


@pytest.mark.parametrize("seed", range(3000, 3030))
def test_the_cut_of_batches_decides_nothing(seed: int) -> None:
    one, other = StageRig(Random(seed)), StageRig(Random(seed + 1), largest=50)
    drivers = [(rig, Driver(rig)) for rig in (one, other)]
    for step in history(seed):
        for rig, driver in drivers:
            rig.clock.now = step.now
            driver.submit(step.commands, step.letters, step.secrets)
    assert told(one) == told(other)


def test_a_batch_that_is_decided_again_gives_the_same_identities() -> None:
    box = Mailbox()
    letter = box.letter()
    key = box.rig.keys.ensure([letter.mail_id])[letter.mail_id]
    box.rig.content.put({letter.mail_id: content_of(letter, key)})
    record = record_of(deliver(letter, BOX, box.new_id(), box.now))
    first, second = (box.rig.stage.plan([record]) for _ in range(2))
    assert first.drafts == second.drafts
    assert len(first.drafts) == 4


def test_what_the_state_has_seen_changes_nothing_when_it_is_recovered() -> None:
    box = Mailbox()
    message = box.deliver()
    box.change(message, add_labels=["TRASH"])
    before = box.rig.outcomes.outcome(BOX, box.rig.commands[-1].event_id)
    for _ in range(2):
        box.rig.stage.recover(box.rig.recorded)
    assert box.rig.outcomes.outcome(BOX, box.rig.commands[-1].event_id) == before
    box.change(message, remove_labels=["TRASH"])
    assert box.labels(message) == {"INBOX", "ALL"}
