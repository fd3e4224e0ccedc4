"""A mailbox of many messages as it was at random times: lists of messages and of conversations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx

from tests.bench.mails import plain_messages
from tests.bench.throughput import system, wait_listed

SIZE = 1_000
READS = 400
CHANGES = 40
"""Changes of 1,000 messages at once, so that the past differs from the present."""


def time_travel(count: int) -> Iterator[dict[str, Any]]:
    """Import `count` mails, change many of them, and yield a row for each kind of read."""
    with system() as running, running.api("load@example.test") as api:
        box = running.data.parent / "past.mbox"
        with box.open("wb") as f:
            for m in plain_messages(count, SIZE):
                f.write(b"From user@example.net Tue Nov 24 08:00:00 2026\n")
                f.write(m.replace(b"\r\n", b"\n") + b"\n")
        begun = time.time()
        running.run("import", str(box), "--to", "load@example.test", timeout=7200)
        box.unlink()
        wait_listed(api, count, 7200)
        _change(api)
        ended = time.time()
        query = {"maxResults": 50}
        for what, path, more in (
            ("messages", "/mailboxes/me/messages", {}),
            ("messages in TRASH", "/mailboxes/me/messages", {"labelIds": "TRASH"}),
            ("conversations", "/mailboxes/me/threads", {}),
        ):
            yield _row(api, what, path, {**query, **more}, begun, ended, count)


def _change(api: httpx.Client) -> None:
    """Read, star and throw away a thousand messages at a time, from the newest on and back."""
    ids: list[str] = []
    token = ""
    while token is not None and len(ids) < 20_000:
        page = api.get(
            "/mailboxes/me/messages", params={"maxResults": 500, "pageToken": token}
        ).json()
        ids += [m["id"] for m in page["messages"]]
        token = page["nextPageToken"]
    changes: list[dict[str, Any]] = [
        {"isRead": True},
        {"isStarred": True},
        {"addLabelIds": ["TRASH"]},
        {"removeLabelIds": ["TRASH"]},
    ]
    for n in range(CHANGES):
        start = n // len(changes) * 1000 % max(1, len(ids))
        body = {"ids": ids[start : start + 1000], **changes[n % len(changes)]}
        headers = {"Idempotency-Key": f"change {n}"}
        while (
            api.post(
                "/mailboxes/me/messages/batchModify", json=body, headers=headers, timeout=120
            ).status_code
            == 202
        ):
            time.sleep(0.1)


def _row(
    api: httpx.Client,
    what: str,
    path: str,
    query: dict[str, Any],
    begun: float,
    ended: float,
    count: int,
) -> dict[str, Any]:
    random = Random(1)
    times: list[float] = []
    for _ in range(READS):
        at = datetime.fromtimestamp(random.uniform(begun, ended), UTC).isoformat()
        started = time.perf_counter()
        api.get(path, params={**query, "at": at}).raise_for_status()
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    return {
        "row": f"50 {what} as of a random time over HTTP, mailbox of {count}, p50 · p99",
        "unit": "ms",
        "value": round(times[len(times) // 2], 2),
        "p99": round(times[int(len(times) * 0.99)], 2),
    }
