"""SIGKILL from outside, again and again, on the same data folder."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from tests.powercut.scene import Told, arrival, check

KILLS = 6


def accepted_until_killed(folder: Path, first: int, kill_after: int) -> list[int]:
    """Run a victim, kill it when it has accepted so many, and return what it accepted."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.powercut.victim", str(folder), str(first)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as victim:
        assert victim.stdout is not None
        lines: list[bytes] = []
        for line in victim.stdout:
            lines.append(line)
            if len(lines) == kill_after:
                victim.kill()
    # A line is written at once, so only a whole one was an answer.
    return [int(line) for line in lines if line.endswith(b"\n")]


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    rng = random.Random(9)
    told = Told()
    for kill in range(KILLS):
        numbers = accepted_until_killed(tmp_path, kill * 1_000_000, rng.randrange(1, 400))
        assert numbers
        told.accepted += [arrival(n, random.Random(n)) for n in numbers]
        check(tmp_path, tmp_path / "run", told)
