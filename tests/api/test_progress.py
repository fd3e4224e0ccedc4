from __future__ import annotations

import asyncio

from api.rest.progress import Progress
from tests.api.fakes import FakeWake


def test_what_happens_between_look_and_wait_is_heard() -> None:
    async def run() -> None:
        wake = FakeWake()
        progress = Progress(wake, ["a", "b"])
        ticket = progress.ticket()
        wake.notify("b")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await progress.after(ticket, 20)
        progress.close()

    asyncio.run(run())


def test_all_who_wait_are_woken() -> None:
    async def run() -> None:
        wake = FakeWake()
        progress = Progress(wake, ["a"])
        waiting = [asyncio.create_task(progress.after(progress.ticket(), 20)) for _ in range(10)]
        await asyncio.sleep(0)
        wake.notify("a")
        assert all(await asyncio.gather(*waiting))
        progress.close()

    asyncio.run(run())


def test_silence_ends_the_wait() -> None:
    async def run() -> None:
        progress = Progress(FakeWake(), ["a"])
        assert not await progress.after(progress.ticket(), 0.001)
        progress.close()

    asyncio.run(run())


def test_a_condition_is_looked_at_once_per_notification() -> None:
    async def run() -> None:
        wake, looks = FakeWake(), 0
        progress = Progress(wake, ["a"])

        async def third() -> bool:
            nonlocal looks
            looks += 1
            return looks == 3

        waiting = asyncio.create_task(progress.until(third, 20))
        for _ in range(2):
            await asyncio.sleep(0.01)
            wake.notify("a")
        assert await waiting
        assert looks == 3
        progress.close()

    asyncio.run(run())


def test_a_closed_one_listens_no_more() -> None:
    async def run() -> None:
        wake = FakeWake()
        progress = Progress(wake, ["a"])
        progress.ticket()
        progress.close()
        assert wake.listening == {"a": []}

    asyncio.run(run())


def test_an_end_wakes_all_who_wait_and_nobody_waits_after_it() -> None:
    async def run() -> None:
        progress = Progress(FakeWake(), ["a"])
        ticket = progress.ticket()
        waiting = asyncio.create_task(progress.after(ticket, 20))
        await asyncio.sleep(0)
        progress.end()
        assert not await waiting
        assert not await progress.after(progress.ticket(), 20)
        progress.close()

    asyncio.run(run())
