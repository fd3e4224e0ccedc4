"""Page a list over HTTP to its end, and keep what each page said."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.system import System, mail, wait_until


def page_to_end(
    api: httpx.Client,
    *,
    between: Callable[[int], None] = lambda _: None,
    **query: Any,
) -> list[str]:
    """Return the identifiers of all pages of a list, in order; `between(n)` follows page n."""
    found: list[str] = []
    token: str | None = None
    n = 0
    while True:
        asked = {**query, **({"pageToken": token} if token else {})}
        answer = api.get("/mailboxes/me/messages", params=asked)
        answer.raise_for_status()
        page = answer.json()
        found += [m["id"] for m in page["messages"]]
        token = page.get("nextPageToken")
        if not token:
            return found
        n += 1
        between(n)


def label_row(api: httpx.Client, name: str) -> dict[str, Any]:
    """Return the label called `name`."""
    answer = api.get("/mailboxes/me/labels")
    answer.raise_for_status()
    return next(row for row in answer.json()["labels"] if row["name"] == name)


def arriving(running: System, folder: Path, address: str, dates: Sequence[int]) -> int:
    """Let mail come in while a list is paged; return how many of it.

    Two come by SMTP, newer than all others, and one for each of `dates` (microseconds) by an
    import into the label `half`, anywhere in the list. Returns when all of them are listed.
    """
    stamp = time.monotonic_ns()
    with running.api(address) as api:
        before = api.get("/mailboxes/me").json()["counts"]["messages"]
        for n in range(2):
            running.send(mail(f"new {stamp} {n}"), [address])
        box = folder / f"{stamp}.mbox"
        with box.open("wb") as f:
            for n, date in enumerate(dates):
                when = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(date // 1_000_000))
                f.write(
                    f"From user@example.net {when}\nMessage-ID: <{stamp}.{n}@x.test>\n".encode()
                )
                f.write(f"Subject: old {stamp} {n}\n\nText.\n\n".encode())
        running.run("import", str(box), "--to", address, "--label", "half", timeout=600)
        goal = before + 2 + len(dates)
        wait_until(
            lambda: api.get("/mailboxes/me").json()["counts"]["messages"] >= goal,
            600,
            "what came in is listed",
        )
    return 2 + len(dates)


def page_while_mail_arrives(
    running: System, folder: Path, address: str, span: tuple[int, int], limit: int, stops: int
) -> None:
    """Page the label `half` to its end, mail coming in after each of `stops` pages of `limit`.

    `span` are the dates between which some of that mail is put. Raises AssertionError when a
    message is listed twice, or one is left out that was there before, or a counter differs from
    what paging gives.
    """
    rng = random.Random(1)
    with running.api(address) as api:
        row = label_row(api, "half")
        whole = page_to_end(api, labelIds=row["id"], maxResults=500)
        total = int(row["messagesTotal"])
        assert len(whole) == len(set(whole)) == total, "the counter is what paging gives"
        pages = -(-total // limit)
        times = {max(1, pages * n // (stops + 1)) for n in range(1, stops + 1)}
        came = 0

        def between(page: int) -> None:
            nonlocal came
            if page in times:
                dates = [rng.randrange(*span) for _ in range(10)]
                came += arriving(running, folder, address, dates) - 2

        found = page_to_end(api, between=between, labelIds=row["id"], maxResults=limit)
        assert came == 10 * len(times)
        assert len(found) == len(set(found)), "no message is listed twice"
        there = set(whole)
        assert [m for m in found if m in there] == whole, "none is left out, and in the same order"
        assert len(found) <= total + came
        after = page_to_end(api, labelIds=row["id"], maxResults=500)
        assert len(after) == len(set(after)) == total + came
        assert int(label_row(api, "half")["messagesTotal"]) == total + came
