"""The process that sends mail is killed; nothing is lost, and what may come twice is known."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from infra.barrier import VARIABLE
from tests.outbound.installation import SENDER, THERE, installation, mail_id_of
from tests.sink import Sink
from tests.system import mail, wait_until

AWAY = "away@example.test"


@pytest.mark.parametrize(
    ("point", "copies"),
    [
        ("outbound.packed", 1),
        # The host has it and we have not written that down: RFC 5321 section 4.5.3.2.6, RFC 1047.
        ("outbound.delivered", 2),
        ("outbound.recorded", 1),
    ],
)
def test_killed_at_any_point_a_mail_is_not_lost(tmp_path: Path, point: str, copies: int) -> None:
    barrier = tmp_path / "barrier"
    barrier.mkdir()
    with installation(tmp_path, **{VARIABLE: str(barrier)}) as house:
        house.forward(THERE, alias=AWAY)
        house.system.start()
        (barrier / point).touch()
        raw = mail("hello", Message_ID="<one@sender.example>")
        mail_id = mail_id_of(house.system.send(raw, [AWAY], SENDER))
        (held,) = wait_until(lambda: list(barrier.glob(f"{point}.*")), what=point)
        os.kill(int(held.name.rpartition(".")[2]), signal.SIGKILL)
        held.unlink()
        house.until_outcomes(mail_id, "delivered")
        house.until_taken(copies)
        second = mail_id_of(house.system.send(mail("second"), [AWAY], SENDER))
        house.until_outcomes(second, "delivered")
        taken = [d for d in house.sink.delivered if b"one@sender.example" in d.content]
        assert len(taken) == copies
        assert house.queue() == []


def test_a_queue_goes_on_where_it_was_and_is_made_again_from_the_log(tmp_path: Path) -> None:
    sink = Sink(["451 4.3.0 later"] * 2)
    with installation(tmp_path, sink=sink, MAILFOLD_RETRY_SCHEDULE="3600") as house:
        house.forward(THERE, alias=AWAY)
        house.system.start()
        done = mail_id_of(house.system.send(mail("one"), [AWAY], SENDER))
        house.until_outcomes(done, "deferred")
        waits = mail_id_of(house.system.send(mail("two"), [AWAY], SENDER))
        house.until_outcomes(waits, "deferred")
        house.system.run("queue", "retry", done)
        house.until_outcomes(done, "deferred", "deferred", "delivered")
        before = house.queue()
        assert [(r["mail"], r["attempts"]) for r in before] == [(waits, 1)]
        house.system.kill()
        for file in (tmp_path / "data").glob("outbound.db*"):
            file.unlink()
        assert house.queue() == before
        house.system.start()
        house.system.run("queue", "retry", "--all")
        house.until_outcomes(waits, "deferred", "deferred", "delivered")
        assert len(house.sink.delivered) == 2
        assert house.queue() == []
