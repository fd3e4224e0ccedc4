"""A mail that is to be sent on is kept until that is settled, and not longer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra.ports import Output
from schemas import commands as c
from schemas.codec import encode
from schemas.events import Attempted
from schemas.identity import bounce_id, message_id, submission_id
from streams.lifecycle.copies import Copies, ended, settle
from streams.lifecycle.ending import Ending
from streams.lifecycle.release import ReleaseStage
from streams.lifecycle.sqlite import SqliteLifecycleState
from streams.runners.embedded import EmbeddedRunner
from tests.streams.lifecycle.rig import ANN, Rig


class Releasing(Rig):
    """The rig, with the release stage on the same copies."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        ending = Ending(self.keys, self.content, self.garbage, self.clock)
        stage = ReleaseStage(SqliteLifecycleState(self._file.connection), ending)
        self._release = EmbeddedRunner(stage, self.log, self.dead, self.clock)

    def settle(self) -> None:
        super().settle()
        while self._release.step():
            super().settle()

    def forwarded(self, boxes: list[str], forwards: int) -> str:
        """Receive a mail that goes on to so many addresses elsewhere."""
        mail_id = self.mail(boxes)
        content = self.content.get([mail_id])[mail_id]
        received = msgspec.structs.replace(content.received.decode(), forwards=forwards)
        record = msgspec.structs.replace(content.received, value=encode(received))
        self.content.remove([mail_id])
        self.content.put({mail_id: replace(content, received=record)})
        self.settle()
        return mail_id

    def attempted(self, mail_id: str, submission: str, outcome: Any, bounce: str = "") -> None:
        event = Attempted(
            event_id=self.new_id(),
            mail_id=mail_id,
            occurred_at=self.clock.now,
            submission_id=submission,
            attempt=1,
            outcome=outcome,
            bounce_id=bounce,
            sealed=b"",
        )
        self.log.append([Output.of(event)])
        self.settle()

    def close(self) -> None:
        self._release.close()
        super().close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Releasing]:
    made = Releasing(tmp_path)
    yield made
    made.close()


def erase(rig: Releasing, mail_id: str) -> None:
    rig.do(c.Erase, message_ids=[message_id(ANN, mail_id)], by="user")


def test_a_mail_without_mailboxes_ends_with_its_last_submission(rig: Releasing) -> None:
    mail_id = rig.forwarded([], 2)
    rig.attempted(mail_id, submission_id(mail_id, 0), "delivered")
    assert rig.has_key(mail_id)
    rig.attempted(mail_id, submission_id(mail_id, 1), "deferred")
    rig.attempted(mail_id, submission_id(mail_id, 1), "suppressed")
    assert rig.has_key(mail_id)
    rig.attempted(mail_id, submission_id(mail_id, 1), "dropped")
    assert not rig.has_key(mail_id)
    assert rig.content.get([mail_id]) == {}
    rig.wait(31)
    assert not rig.has_part(mail_id)


@pytest.mark.parametrize("erased_first", [True, False])
def test_mailbox_and_submission_both_have_to_end(rig: Releasing, erased_first: bool) -> None:
    mail_id = rig.forwarded([ANN], 1)
    if erased_first:
        erase(rig, mail_id)
        rig.wait(31)
        assert rig.has_key(mail_id)
        assert rig.has_part(mail_id)
    rig.attempted(mail_id, submission_id(mail_id, 0), "delivered")
    if not erased_first:
        assert rig.has_key(mail_id)
        erase(rig, mail_id)
    assert not rig.has_key(mail_id)


def test_a_report_keeps_the_mail_that_it_is_about(rig: Releasing) -> None:
    mail_id = rig.forwarded([], 1)
    first = submission_id(mail_id, 0)
    rig.attempted(mail_id, first, "bounced", bounce_id(first))
    assert rig.has_key(mail_id)
    rig.attempted(mail_id, bounce_id(first), "delivered")
    assert not rig.has_key(mail_id)


def test_what_is_told_twice_counts_once() -> None:
    copies: Copies = {}
    event = Attempted(
        event_id="e",
        mail_id="m",
        occurred_at=1,
        submission_id="s",
        attempt=1,
        outcome="bounced",
        bounce_id="b",
        sealed=b"",
    )
    settle(copies, event)
    settle(copies, msgspec.structs.replace(event, submission_id="b", outcome="delivered"))
    settle(copies, event)
    assert copies == {"s": False, "b": False}
    assert ended(copies, ["s"])
