from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NoReturn

import pytest

from infra.ports import EngineDown
from mailfold.turns import IDLE, Turn, Turns


class Loop:
    """A loop with so much to do at each step; None stands for an engine that is down."""

    def __init__(self, *work: int | None) -> None:
        self.work = list(work)
        self.waited: list[float] = []
        self.closed = 0

    def step(self, timeout: float = 0.0) -> int:
        self.waited.append(timeout)
        done = self.work.pop(0) if self.work else 0
        if done is None:
            raise EngineDown("log")
        return done

    def close(self) -> None:
        self.closed += 1


class Failing(Loop):
    """Fails at the step that has no work left."""

    def step(self, timeout: float = 0.0) -> int:
        if not self.work:
            raise ArithmeticError
        return super().step(timeout)


def until(steps: int) -> Callable[[], bool]:
    """Return what says so many times that it is not yet time to stop."""
    left = iter(range(steps))
    return lambda: next(left, None) is None


def no_pause(_: float) -> NoReturn:
    raise AssertionError("it paused")


def test_each_has_its_turn_until_none_has_anything_to_do() -> None:
    order: list[str] = []

    class Told(Loop):
        def __init__(self, name: str, *work: int) -> None:
            super().__init__(*work)
            self.name = name

        def step(self, timeout: float = 0.0) -> int:
            order.append(self.name)
            return super().step(timeout)

    loops = {"a": Told("a", 1, 0), "b": Told("b", 0, 2, 1)}
    Turns([Turn(n, lambda n=n: loops[n]) for n in loops]).run(until(3), no_pause)
    assert order == ["a", "b"] * 3


def test_the_first_waits_for_all_when_there_is_nothing_to_do() -> None:
    first, second = Loop(), Loop()
    Turns([Turn("first", lambda: first), Turn("second", lambda: second)]).run(until(1), no_pause)
    assert first.waited == [0.0, IDLE]
    assert second.waited == [0.0]


def test_one_that_rests_is_left_alone_and_nobody_waits_longer_than_it_rests() -> None:
    first, lazy = Loop(), Loop()
    turns = Turns([Turn("first", lambda: first), Turn("lazy", lambda: lazy, rest=0.5)])
    turns.run(until(3), no_pause)
    assert len(lazy.waited) == 1
    assert 0 < max(first.waited) <= 0.5


def test_one_that_rests_is_not_left_alone_while_it_has_something_to_do() -> None:
    lazy = Loop(1, 1, 0)
    Turns([Turn("first", Loop), Turn("lazy", lambda: lazy, rest=60.0)]).run(until(5), no_pause)
    assert len(lazy.waited) == 3


def test_while_an_engine_is_down_it_pauses_longer_each_time_and_then_goes_on() -> None:
    loop = Loop(*[None] * 9, 1)
    pauses: list[float] = []
    Turns([Turn("alone", lambda: loop, clock=lambda: sum(pauses))]).run(until(30), pauses.append)
    assert loop.work == []
    assert max(pauses) <= IDLE
    assert sum(pauses) == pytest.approx(0.05 + 0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 3.2 + 5 + 5)


def test_the_others_go_on_while_one_waits_for_its_engine(
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = Loop(1, 1, 1)
    Turns([Turn("down", lambda: Loop(None)), Turn("other", lambda: other)]).run(until(3), no_pause)
    assert other.work == []
    assert [r.getMessage() for r in caplog.records] == ["down waits: log"]


def test_one_that_fails_is_begun_anew_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made: list[Failing] = []

    def begin() -> Failing:
        made.append(Failing(1))
        return made[-1]

    seconds = iter(range(1000))
    failing, other = Turn("failing", begin, clock=lambda: next(seconds)), Loop(*[1] * 6)
    with caplog.at_level(logging.ERROR):
        Turns([failing, Turn("other", lambda: other)]).run(until(6), no_pause)
    assert other.work == []
    assert [loop.closed for loop in made] == [1, 1, 1]
    assert "ArithmeticError" in caplog.text


def test_one_that_is_alone_ends_its_process_when_it_fails() -> None:
    loop = Failing(1)
    with pytest.raises(ArithmeticError):
        Turns([Turn("alone", lambda: loop)]).run(until(9), no_pause)
    assert loop.closed == 1
