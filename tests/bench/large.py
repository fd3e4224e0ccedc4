"""A mailbox of many messages: rebuild, listing over HTTP, disk, memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.bench.mails import plain_messages
from tests.bench.throughput import system, wait_listed

SIZE = 10_000


def large_mailbox(count: int) -> Iterator[dict[str, Any]]:
    """Import `count` mails of 10 kB, then yield the rows that need such a mailbox."""
    with system() as running, running.api("load@example.test") as api:
        box = running.data.parent / "large.mbox"
        raw = 0
        with box.open("wb") as f:
            for m in plain_messages(count, SIZE):
                raw += len(m)
                f.write(b"From user@example.net Tue Nov 24 08:00:00 2026\n")
                f.write(m.replace(b"\r\n", b"\n") + b"\n")
        begun = time.time()
        running.run("import", str(box), "--to", "load@example.test", timeout=3600)
        box.unlink()
        listed = wait_listed(api, count, 3600)
        yield {
            "row": f"import of an mbox, {count} of 10 kB, to listed",
            "unit": "messages/s",
            "value": round(count / (listed - begun), 1),
        }
        yield from _listing(api, count)
        yield {
            "row": f"peak memory after {count}",
            "unit": "MB",
            "value": running.peak_memory(),
        }
        begun = time.monotonic()
        running.run("projection", "rebuild", "mailbox", timeout=3600)
        seconds = time.monotonic() - begun
        events = int(api.get("/mailboxes/me").headers["x-mailfold-seq"])
        yield {
            "row": "rebuild of the mailbox projection from the log",
            "unit": "events/s",
            "value": round(events / seconds),
            "messages/s": round(count / seconds),
        }
        running.stop()
        yield {
            "row": f"disk for {count} of 10 kB over the raw bytes",
            "unit": "x",
            "value": round(_disk(running.data) / raw, 2),
            "files": {p.name: _disk(p) // 1_000_000 for p in sorted(running.data.iterdir())},
        }


def _listing(api: httpx.Client, count: int) -> Iterator[dict[str, Any]]:
    times: list[float] = []
    for _ in range(500):
        begun = time.perf_counter()
        api.get("/mailboxes/me/messages?maxResults=50").raise_for_status()
        times.append((time.perf_counter() - begun) * 1000)
    times.sort()
    yield {
        "row": f"list 50 over HTTP, mailbox of {count}, p50 · p99",
        "unit": "ms",
        "value": round(times[len(times) // 2], 2),
        "p99": round(times[int(len(times) * 0.99)], 2),
    }


def _disk(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    # A version that a rebuild keeps for roll-back is no part of what the mails need.
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
