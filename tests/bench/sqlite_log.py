"""Mails a second through the intake into the embedded log, with 20 sessions.

Usage: python -m tests.bench.sqlite_log [--seconds S] [--sessions N] [--folder DIR]

Sealing and parsing are left out: this is what storage alone can take.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import apsw

from infra.intake import GroupIntake
from infra.parts.files import FileParts
from infra.ports import Arrival, Output
from infra.sqlite.connection import LOG
from infra.sqlite.file import SqliteFile
from infra.sqlite.keys import SqliteKeys
from infra.sqlite.log import SqliteLog
from infra.sqlite.references import SqliteReferences
from infra.sqlite.wake import SocketWake
from schemas.identity import event_id, timed
from schemas.topics import MAIL_RECEIVED

SIZES = {"2 kB": 2_000, "10 kB": 10_000, "75 kB": 75_000}
PART = 400_000


def now() -> int:
    return time.time_ns() // 1000


class Bench:
    """An intake on fresh files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = SqliteFile(folder / "log.db", LOG)
        self.log = SqliteLog(self.file, now, SocketWake(folder / "run"))
        self.keys = SqliteKeys(folder / "keys.db")
        parts = FileParts(folder / "parts", SqliteReferences(self.file))
        self.intake = GroupIntake(parts, self.keys, self.log)

    def close(self) -> None:
        self.intake.close()
        self.keys.close()
        self.file.close()

    def longest_wal(self) -> int:
        return (self.folder / "log.db-wal").stat().st_size


def arrival(size: int, part: int) -> Arrival:
    mail_id = timed(now(), os.urandom(10))
    value = os.urandom(size)
    parts = {os.urandom(32): os.urandom(part)} if part else {}
    received = Output(MAIL_RECEIVED, mail_id, "Received", event_id(mail_id, "received"), value)
    return Arrival(received, mail_id, os.urandom(32), parts)


async def measure(bench: Bench, size: int, part: int, sessions: int, seconds: float) -> str:
    until = time.perf_counter() + seconds
    waits: list[float] = []

    async def session() -> None:
        while True:
            started = time.perf_counter()
            if started >= until:
                return
            await bench.intake.accept(arrival(size, part))
            waits.append(time.perf_counter() - started)

    started = time.perf_counter()
    cpu = time.process_time()
    await asyncio.gather(*(session() for _ in range(sessions)))
    took = time.perf_counter() - started
    cpu = time.process_time() - cpu
    percentiles = statistics.quantiles(waits, n=100)
    return (
        f"{len(waits) / took:8.0f}/s  p50 {percentiles[49] * 1e3:6.1f} ms  "
        f"p99 {percentiles[98] * 1e3:6.1f} ms  cpu {cpu / len(waits) * 1e3:5.3f} ms/mail  "
        f"wal {bench.longest_wal() / 1e6:5.0f} MB"
    )


def run(folder: Path, name: str, size: int, part: int, sessions: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as inside:
        bench = Bench(Path(inside))
        print(f"{name:>14}", asyncio.run(measure(bench, size, part, sessions, seconds)), flush=True)
        bench.close()


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--seconds", type=float, default=3.0)
    p.add_argument("--sessions", type=int, default=20)
    p.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    a = p.parse_args()
    print(f"{os.cpu_count()} CPUs, {platform.platform()}, SQLite {apsw.sqlite_lib_version()}")
    for _, (name, size) in itertools.product(range(2), SIZES.items()):
        run(a.folder, name, size, 0, a.sessions, a.seconds)
    run(a.folder, "10 kB + part", 10_000, PART, a.sessions, a.seconds)


if __name__ == "__main__":
    main()
