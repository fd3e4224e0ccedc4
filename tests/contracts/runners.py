"""What every runner must do, whatever hosts the stages.

A test module gives a `rig` fixture and inherits `RunnerContract`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pytest

from infra.ports import DeadLetters, Output, Record
from tests.contracts.toy_stage import ToyStage, command, seen

KEYS = ("ann", "bob", "cy")


class Killed(BaseException):
    """Stands for SIGKILL inside one process: no handler of the product may catch it."""


class Rig(Protocol):
    """A log with one runner on it."""

    dead: DeadLetters
    stage: ToyStage

    def append(self, outputs: Sequence[Output]) -> None:
        """Append commands."""
        ...

    def settle(self) -> None:
        """Run until all commands are processed."""
        ...

    def outputs(self) -> Sequence[Record]:
        """Return all committed outputs, per key in order."""
        ...

    def kill_at(self, point: str) -> None:
        """Let the runner die at a point between outputs, state and position, once."""
        ...

    def replace(self) -> None:
        """Start another runner in place of the dead one."""
        ...

    def replay(self, group: str) -> None:
        """Run the whole source again under a new consumer group, over the same state."""
        ...


class RunnerContract:
    """The contract."""

    def test_each_key_is_processed_in_order(self, rig: Rig) -> None:
        rig.append([command(k, str(i)) for i in range(50) for k in KEYS])
        rig.settle()
        for k in KEYS:
            assert seen(rig.outputs(), k) == [(i + 1, str(i)) for i in range(50)]

    def test_a_command_that_comes_twice_has_one_effect(self, rig: Rig) -> None:
        rig.append([command("ann", "a"), command("ann", "a"), command("ann", "b")])
        rig.append([command("ann", "a")])
        rig.settle()
        assert seen(rig.outputs(), "ann") == [(1, "a"), (2, "b")]

    def test_a_poison_record_holds_back_its_key_and_no_other(self, rig: Rig) -> None:
        labels = ["a", "poison", "b", "c"]
        rig.append([command(k, x) for x in labels for k in ("ann",)])
        rig.append([command("bob", x) for x in ("a", "b", "c")])
        rig.settle()
        assert seen(rig.outputs(), "ann") == [(1, "a")]
        assert seen(rig.outputs(), "bob") == [(1, "a"), (2, "b"), (3, "c")]
        letters = rig.dead.list()
        assert [(d.error, d.state) for d in letters] == [
            ("toy-poison", "dead"),
            ("", "waiting"),
            ("", "waiting"),
        ]

    def test_later_records_of_a_blocked_key_wait_in_order(self, rig: Rig) -> None:
        rig.append([command("ann", "poison")])
        rig.settle()
        rig.append([command("ann", "a"), command("bob", "a")])
        rig.settle()
        assert seen(rig.outputs(), "ann") == []
        assert seen(rig.outputs(), "bob") == [(1, "a")]
        assert len(rig.dead.list()) == 2

    def test_a_retry_takes_the_poison_and_what_waited_in_order(self, rig: Rig) -> None:
        rig.append([command("ann", x) for x in ("a", "poison", "b", "c")])
        rig.settle()
        rig.stage.healed = True
        assert rig.dead.retry(None) > 0
        rig.append([command("ann", "d")])
        rig.settle()
        assert seen(rig.outputs(), "ann") == [
            (1, "a"), (2, "poison"), (3, "b"), (4, "c"), (5, "d"),
        ]  # fmt: skip
        assert list(rig.dead.list()) == []

    def test_a_retry_that_fails_again_keeps_the_key_blocked(self, rig: Rig) -> None:
        rig.append([command("ann", x) for x in ("poison", "b")])
        rig.settle()
        rig.dead.retry(None)
        rig.append([command("ann", "c")])
        rig.settle()
        assert seen(rig.outputs(), "ann") == []
        letters = rig.dead.list()
        assert [d.state for d in letters] == ["dead", "waiting", "waiting"]
        assert letters[0].attempts == 2

    def test_an_engine_that_was_down_loses_and_doubles_nothing(self, rig: Rig) -> None:
        rig.append([command("ann", x) for x in ("a", "down", "b")])
        rig.settle()
        assert seen(rig.outputs(), "ann") == [(1, "a"), (2, "down"), (3, "b")]

    @pytest.mark.parametrize(
        "point", ["planned", "settled", "outputs", "state", "position", "committed"]
    )
    def test_a_runner_killed_at_any_point_is_replaced_without_a_trace(
        self, rig: Rig, point: str
    ) -> None:
        rig.append([command(k, str(i)) for i in range(5) for k in KEYS])
        rig.settle()
        rig.append([command(k, str(i)) for i in range(5, 10) for k in KEYS])
        rig.kill_at(point)
        with pytest.raises(Killed):
            rig.settle()
        rig.append([command(k, str(i)) for i in range(10, 12) for k in KEYS])
        rig.replace()
        rig.settle()
        for k in KEYS:
            assert seen(rig.outputs(), k) == [(i + 1, str(i)) for i in range(12)]

    def test_a_replay_under_a_new_group_changes_nothing(self, rig: Rig) -> None:
        rig.append([command(k, str(i)) for i in range(20) for k in KEYS])
        rig.settle()
        before = {k: seen(rig.outputs(), k) for k in KEYS}
        rig.replay("mailbox-again")
        assert {k: seen(rig.outputs(), k) for k in KEYS} == before
