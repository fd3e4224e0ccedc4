"""Load on a running installation, from a process of its own so that it shares no interpreter.

`python -m tests.bench.load` reads one JSON line of instructions, sends the mails in a file, and
prints when each was accepted.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
import time
from typing import Any

import uvloop


async def _session(
    where: tuple[str, int],
    mails: list[tuple[int, bytes]],
    rate: float,
    offset: float,
    times: list[float],
) -> None:
    reader, writer = await asyncio.open_connection(*where)

    async def expect(code: bytes) -> None:
        while True:
            line = await reader.readline()
            if line[3:4] != b"-":
                break
        if not line.startswith(code):
            raise ConnectionError(line.decode(errors="replace"))

    await expect(b"220")
    writer.write(b"EHLO load.example\r\n")
    await expect(b"250")
    begun = time.monotonic()
    for k, (n, wire) in enumerate(mails):
        if rate:
            await asyncio.sleep(max(0.0, begun + offset + k / rate - time.monotonic()))
        writer.write(b"MAIL FROM:<user@dom%d.example.net>\r\n" % (n % 50))
        writer.write(b"RCPT TO:<load@example.test>\r\nDATA\r\n")
        await expect(b"250")
        await expect(b"250")
        await expect(b"354")
        writer.write(wire)
        await writer.drain()
        await expect(b"250")
        times[n] = time.time()
    writer.write(b"QUIT\r\n")
    await writer.drain()
    writer.close()


async def _run(task: dict[str, Any]) -> list[float]:
    with open(task["mails"], "rb") as f:
        mails: list[bytes] = pickle.load(f)
    wires = [m.replace(b"\r\n.", b"\r\n..") + b".\r\n" for m in mails]
    times = [0.0] * len(wires)
    count = task["connections"]
    numbered = list(enumerate(wires))
    total = task.get("rate", 0)
    # A steady rate: sessions that all sent at the same moment would come as bursts.
    offsets = [i / total if total else 0.0 for i in range(count)]
    await asyncio.gather(
        *(
            _session(tuple(task["where"]), numbered[i::count], total / count, offsets[i], times)
            for i in range(count)
        )
    )
    return times


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_run(json.loads(sys.stdin.readline())))))
