"""A process that takes in and processes mail until it is killed; it prints each accepted number."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

from infra.intake import GroupIntake
from tests.powercut.scene import Pipeline, Store, arrival

SESSIONS = 8


async def send(intake: GroupIntake, first: int) -> None:
    async def session(s: int) -> None:
        for n in range(first + s, first + 1_000_000, SESSIONS):
            await intake.accept(arrival(n, random.Random(n)))
            os.write(1, b"%d\n" % n)

    await asyncio.gather(*(session(s) for s in range(SESSIONS)))


def main(folder: str, first: str) -> None:
    store = Store(Path(folder), Path(folder) / "run")
    Pipeline(store)
    asyncio.run(send(GroupIntake(store.parts, store.keys, store.log), int(first)))


if __name__ == "__main__":
    main(*sys.argv[1:])
