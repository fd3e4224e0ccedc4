"""What a runner must do besides, whose log and state are different engines."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from tests.contracts.runners import KEYS, Killed, Rig, RunnerContract
from tests.contracts.toy_stage import command, seen


class PartitionedRig(Rig, Protocol):
    """A rig that can lose the state and keep the log."""

    def stop(self) -> None:
        """End the runner and close its state."""
        ...

    def start(self) -> None:
        """Start a runner."""
        ...

    def copy_state(self, to: Path) -> None:
        """Copy the state of a stopped runner."""
        ...

    def restore_state(self, copy: Path) -> None:
        """Put a copy in place of the state of a stopped runner."""
        ...

    def lose_state(self) -> None:
        """Delete the state of a stopped runner."""
        ...


class PartitionedRunnerContract(RunnerContract):
    """The contract, for runners whose state is the fold of outputs in another engine."""

    def test_state_that_is_lost_is_folded_from_the_outputs(self, rig: PartitionedRig) -> None:
        self._send(rig, 0, 10)
        rig.stop()
        rig.lose_state()
        rig.start()
        self._send(rig, 10, 15)
        self._hold_true(rig, 15)

    def test_an_old_copy_of_the_state_is_brought_to_the_end(
        self, rig: PartitionedRig, tmp_path: Path
    ) -> None:
        self._send(rig, 0, 5)
        rig.stop()
        rig.copy_state(tmp_path / "copy.db")
        rig.start()
        self._send(rig, 5, 10)
        rig.stop()
        rig.restore_state(tmp_path / "copy.db")
        rig.start()
        self._send(rig, 10, 15)
        self._hold_true(rig, 15)

    @pytest.mark.parametrize("point", ["outputs", "state"])
    def test_outputs_without_their_state_are_folded_at_once(
        self, rig: PartitionedRig, point: str
    ) -> None:
        self._send(rig, 0, 5)
        rig.append([command(k, str(i)) for i in range(5, 10) for k in KEYS])
        rig.kill_at(point)
        with pytest.raises(Killed):
            rig.settle()
        rig.replace()
        rig.settle()
        self._hold_true(rig, 10)

    def test_dead_letters_are_found_again_when_the_state_is_lost(self, rig: PartitionedRig) -> None:
        rig.append([command("ann", x) for x in ("a", "poison", "b")])
        rig.settle()
        rig.stop()
        rig.lose_state()
        rig.start()
        rig.append([command("ann", "c")])
        rig.settle()
        assert seen(rig.outputs(), "ann") == [(1, "a")]
        assert [d.state for d in rig.dead.list()] == ["dead", "waiting", "waiting"]

    def test_a_new_group_over_no_state_changes_nothing(self, rig: PartitionedRig) -> None:
        self._send(rig, 0, 10)
        rig.stop()
        rig.lose_state()
        rig.start()
        rig.replay("mailbox-again")
        self._hold_true(rig, 10)

    def _send(self, rig: PartitionedRig, first: int, behind: int) -> None:
        rig.append([command(k, str(i)) for i in range(first, behind) for k in KEYS])
        rig.settle()

    def _hold_true(self, rig: PartitionedRig, count: int) -> None:
        outputs = rig.outputs()
        assert len({r.event_id for r in outputs}) == len(outputs)
        for k in KEYS:
            assert seen(outputs, k) == [(i + 1, str(i)) for i in range(count)]
