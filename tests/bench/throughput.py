"""Whole-system rows: SMTP to listed, latency, import, listing; everything from outside."""

from __future__ import annotations

import json
import pickle
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from mail.authentication.zone import Zone
from tests.bench.mails import messages, senders
from tests.dns_server import DnsServer
from tests.system import ROOT, System

CONNECTIONS = 20


@contextmanager
def system(**environment: str) -> Iterator[System]:
    """Yield a running installation whose DNS answers for the senders of the load."""
    zone: dict[str, Any] = {}
    for s in senders_of_run():
        zone |= s.zone()
    with (
        tempfile.TemporaryDirectory(prefix="mailfold-bench-") as folder,
        DnsServer(Zone(zone), {}) as dns,
    ):
        made = System(
            Path(folder) / "data",
            {"MAILFOLD_DNS": dns.address, "MAILFOLD_DNS_TIMEOUT": "5", **environment},
        )
        made.add_account("load")
        made.start()
        try:
            yield made
        finally:
            made.stop()


_SENDERS: list[Any] = []


def senders_of_run() -> list[Any]:
    """Return the senders, the same for all rows of a run."""
    if not _SENDERS:
        _SENDERS.extend(senders())
    return _SENDERS


def load(running: System, mails: list[bytes], connections: int, rate: float = 0) -> list[float]:
    """Send mails from a process of its own; return when each was accepted (epoch seconds)."""
    with tempfile.NamedTemporaryFile(suffix=".mails") as f:
        pickle.dump(mails, f)
        f.flush()
        task = {
            "mails": f.name,
            "where": running.where["smtp"],
            "connections": connections,
            "rate": rate,
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.load"],
            input=json.dumps(task) + "\n",
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
            timeout=900,
        )
    times: list[float] = json.loads(done.stdout)
    return times


def wait_listed(api: httpx.Client, count: int, seconds: float) -> float:
    """Return when the mailbox listed `count` messages (epoch seconds)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = api.get("/mailboxes/me").json()
        if answer["counts"]["messages"] >= count:
            return time.time()
        time.sleep(0.05)
    raise AssertionError(f"{count} messages were not listed within {seconds} s: {answer}")


def wait_searchable(api: httpx.Client, seconds: float) -> float:
    """Return when the index had come to where the mailbox is now (epoch seconds)."""
    head = api.get("/mailboxes/me").headers["x-mailfold-seq"]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        query = {"q": "is:unread", "maxResults": 1, "minSeq": head}
        answer = api.get("/mailboxes/me/messages", params=query)
        if answer.is_success and int(answer.headers["x-mailfold-seq"]) >= int(head):
            return time.time()
    raise AssertionError(f"seq {head} was not searchable within {seconds} s: {answer.text}")


def smtp_to_searchable(size: int, count: int) -> dict[str, Any]:
    """Measure messages/s from the first connection until the last can be found."""
    mails = messages(count, size, senders_of_run(), size)
    warm = messages(100, size, senders_of_run(), size + 1)
    with system() as running, running.api("load@example.test") as api:
        load(running, warm, CONNECTIONS)
        wait_listed(api, len(warm), 60)
        begun = time.time()
        before = running.cpu()
        accepted = load(running, mails, CONNECTIONS)
        listed = wait_listed(api, len(warm) + count, 600)
        found = wait_searchable(api, 600)
        # The load generator's own start is not the system's time.
        first = min(accepted) - 0.01
        return {
            "row": f"SMTP to searchable, {size / 1000:g} kB",
            "unit": "messages/s",
            "value": round(count / (found - max(begun, first)), 1),
            "listed": round(count / (listed - max(begun, first)), 1),
            "accepted": round(count / (max(accepted) - first), 1),
            "count": count,
            "cpu_ms": {
                r: round((s - before[r]) * 1000 / count, 2) for r, s in running.cpu().items()
            },
            "peak_mb": running.peak_memory(),
        }


def latency(rate: float, seconds: float) -> dict[str, Any]:
    """Measure the time from 250 until the feed tells of the delivery, at a steady rate."""
    count = int(rate * seconds)
    mails = messages(count, 10_000, senders_of_run(), 7)
    with system() as running, running.api("load@example.test") as api:
        load(running, mails[:100], CONNECTIONS)
        wait_listed(api, 100, 60)
        seen: list[float] = []
        done = threading.Event()

        def follow() -> None:
            since = api.get("/mailboxes/me/history?since=0").headers["x-mailfold-seq"]
            done_after = count
            with api.stream(
                "GET",
                "/mailboxes/me/stream",
                headers={"Last-Event-ID": since},
                timeout=120,
            ) as answer:
                done.set()
                for line in answer.iter_lines():
                    if line.startswith("data:") and '"type":"Delivered"' in line.replace(" ", ""):
                        seen.append(time.time())
                        if len(seen) >= done_after:
                            return

        follower = threading.Thread(target=follow)
        follower.start()
        done.wait(10)
        fresh = messages(count, 10_000, senders_of_run(), 8)
        accepted = load(running, fresh, CONNECTIONS, rate)
        follower.join(120)
        waits = sorted(s - a for s, a in zip(seen, sorted(accepted), strict=True))
        return {
            "row": f"250 to listed at {rate:g}/s, p50 · p99",
            "unit": "ms",
            "value": round(statistics.median(waits) * 1000, 1),
            "p99": round(waits[int(len(waits) * 0.99)] * 1000, 1),
            "count": count,
        }


def import_mbox(count: int) -> dict[str, Any]:
    """Measure `mailfold import` of an mbox, until the last is listed."""
    mails = messages(count, 10_000, senders_of_run(), 9)
    with system() as running, running.api("load@example.test") as api:
        box = running.data.parent / "load.mbox"
        with box.open("wb") as f:
            for m in mails:
                f.write(b"From user@example.net Tue Nov 24 08:00:00 2026\n")
                f.write(m.replace(b"\r\n", b"\n") + b"\n")
        begun = time.time()
        running.run("import", str(box), "--to", "load@example.test", timeout=600)
        taken = time.time()
        listed = wait_listed(api, count, 600)
        return {
            "row": "import of an mbox, 10 kB, to listed",
            "unit": "messages/s",
            "value": round(count / (listed - begun), 1),
            "taken": round(count / (taken - begun), 1),
            "count": count,
        }
