"""A mailbox of a million messages: rebuild, listing, search, contacts, counters, paging.

`python -m tests.bench.million [MESSAGES]` runs these rows alone. With MAILFOLD_BENCH_DATA the
installation is kept in that folder, and taken up as it is when it is there; MAILFOLD_BENCH_REBUILT
names what is then rebuilt ("search", "" for nothing) in place of all projections.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from mail.query.tokens import tokens
from tests.bench.bulk import mailbox_of
from tests.bench.variation import PEOPLE, START, Variation, texts
from tests.paging import label_row, page_to_end, page_while_mail_arrives
from tests.system import System

ADDRESS = "load@example.test"
_SAMPLE = 3000
_DAY = 1440
"""Mails of a day: one comes each minute."""

Row = dict[str, Any]


def million(count: int) -> Iterator[Row]:
    """Make a mailbox of `count` messages and yield its rows."""
    kept = os.environ.get("MAILFOLD_BENCH_DATA")
    variation = Variation(texts())
    with tempfile.TemporaryDirectory(prefix="mailfold-bench-") as folder:
        running = System(Path(kept or folder) / "data")
        if not running.data.exists():
            running.add_account("load")
            yield _filled(running, variation, count)
        for name in os.environ.get("MAILFOLD_BENCH_REBUILT", "mailbox contacts search").split():
            yield _rebuilt(running, name, count)
        yield _disk(running, count)
        running.start()
        try:
            with running.api(ADDRESS) as api:
                timer = _Timer(running)
                yield from _listing(api, timer, count)
                yield from _searching(api, timer, variation, count)
                yield from _completing(api, timer, variation, count)
                yield _counters(api)
            yield _paged(running, Path(folder), variation, count)
            yield {"row": f"peak memory, {count}", "unit": "MB", "value": running.peak_memory()}
        finally:
            running.stop()


def _filled(running: System, variation: Variation, count: int) -> Row:
    begun = time.monotonic()
    octets = mailbox_of(running.data, ADDRESS, count, variation)
    return {
        "row": f"mailbox of {count} made",
        "unit": "messages/s",
        "value": round(count / (time.monotonic() - begun)),
        "octets a message": octets // count,
    }


def _rebuilt(running: System, name: str, count: int) -> Row:
    begun = time.monotonic()
    running.run("projection", "rebuild", name, timeout=6 * 3600)
    seconds = time.monotonic() - begun
    return {
        "row": f"rebuild of {name} from the log, {count}",
        "unit": "messages/s",
        "value": round(count / seconds),
        "events/s": round(3 * count / seconds),
    }


def _disk(running: System, count: int) -> Row:
    live = {p.name: p.stat().st_size for p in running.data.rglob("*.db*")}
    return {
        "row": f"disk, {count}",
        "unit": "B/message",
        "value": sum(live.values()) // count,
        "files": {k: v // 1_000_000 for k, v in sorted(live.items()) if v > 1_000_000},
    }


class _Timer:
    """Times requests: by the clock, and what of it the API's process computed."""

    def __init__(self, running: System) -> None:
        self._spent = lambda: running.processor_time("api")

    def times(
        self, call: Callable[[str], httpx.Response], asked: Sequence[str], repeats: int
    ) -> Row:
        """Make every request `repeats` times."""
        taken: list[float] = []
        spent: list[float] = []
        for _ in range(repeats):
            for one in asked:
                before, begun = self._spent(), time.perf_counter()
                call(one).raise_for_status()
                taken.append((time.perf_counter() - begun) * 1000)
                spent.append((self._spent() - before) * 1000)
        (value, p99), cpu = _middle_and_end(taken), _middle_and_end(spent)
        return {"unit": "ms", "value": value, "p99": p99, "CPU": cpu}


def _middle_and_end(figures: Sequence[float]) -> tuple[float, float]:
    """Return p50 and p99."""
    ordered = sorted(figures)
    return round(ordered[len(ordered) // 2], 2), round(ordered[len(ordered) * 99 // 100], 2)


def _listing(api: httpx.Client, timer: _Timer, count: int) -> Iterator[Row]:
    path = "/mailboxes/me/messages"
    half, rare = (label_row(api, name)["id"] for name in ("half", "rare"))
    for what, query in {
        "list 50": "maxResults=50",
        "list 50 of a label of half of them": f"maxResults=50&labelIds={half}",
        "list 50 in two labels": f"maxResults=50&labelIds={half},{rare}",
    }.items():
        times = timer.times(lambda q: api.get(f"{path}?{q}"), [query], 500)
        yield {"row": f"{what}, HTTP, {count}, p50 · p99", **times}


def queries(variation: Variation, count: int) -> dict[str, list[str]]:
    """Return queries of each row of the targets, common and rare ones."""
    rng = random.Random(2)
    mails = [tokens("\n".join(variation.lines(rng.randrange(count)))) for _ in range(_SAMPLE)]
    found = Counter(word for mail in mails for word in set(mail))
    words = [w for w, _ in found.most_common() if re.fullmatch("[a-z]{2,20}", w)]
    common, usual = words[:40], words[40 : len(words) // 20]
    rare = [w for w in words if found[w] == 1]

    def phrase() -> str:
        mail = rng.choice(mails)
        at = rng.randrange(max(1, len(mail) - 3))
        return '"' + " ".join(mail[at : at + 2 + rng.randrange(2)]) + '"'

    def days() -> str:
        first = rng.randrange(max(1, count // _DAY - 30))
        moments = (time.gmtime(START // 1_000_000 + 86400 * n) for n in (first, first + 30))
        low, high = (time.strftime("%Y/%m/%d", m) for m in moments)
        return f"after:{low} before:{high}"

    def some(of: Sequence[str], n: int = 40) -> list[str]:
        return rng.choices(of, k=n)

    people = [
        variation.person(n) for n in (*range(20), *(rng.randrange(PEOPLE) for _ in range(20)))
    ]
    return {
        "term, the commonest": common,
        "term, usual": some(usual),
        "term, rare": some(rare),
        "term that nobody wrote": [f"zq{n}zq" for n in range(40)],
        "two terms": [f"{a} {b}" for a, b in zip(some(usual), some(words), strict=True)],
        "phrase": [phrase() for _ in range(40)],
        "phrase of common words": [
            f'"{a} {b}"' for a, b in zip(some(common), some(common), strict=True)
        ],
        "from: a name": [f"from:{name.split()[0]}" for name, _ in people],
        "from: an address": [f"from:{address}" for _, address in people],
        "date range": [days() for _ in range(40)],
        "term in a date range": [f"{w} {days()}" for w in some(usual)],
        "label": ["label:half", "label:work", "label:rare", "in:inbox", "is:unread"],
        "term in a label": [f"{w} label:work" for w in some(usual)],
        "term in a rare label": [f"{w} label:rare" for w in some(usual)],
        "prefix of two letters": [f"{w[:2]}*" for w in some(usual)],
        "prefix of four letters": [f"{w[:4]}*" for w in some(words)],
        "either of two": [f"{a} OR {b}" for a, b in zip(some(usual), some(rare), strict=True)],
        "all but": [f"{a} -{b}" for a, b in zip(some(usual), some(common), strict=True)],
    }


def _searching(api: httpx.Client, timer: _Timer, variation: Variation, count: int) -> Iterator[Row]:
    for name, asked in queries(variation, count).items():
        times = timer.times(
            lambda q: api.get("/mailboxes/me/messages", params={"q": q, "maxResults": 50}),
            asked,
            max(1, 200 // len(asked)),
        )
        yield {"row": f"search, {name}, HTTP, {count}, p50 · p99", **times}


def _completing(
    api: httpx.Client, timer: _Timer, variation: Variation, count: int
) -> Iterator[Row]:
    rng = random.Random(3)
    people = [variation.person(rng.randrange(PEOPLE)) for _ in range(100)]
    for what, asked in {
        "1 letter": [address[:1] for _, address in people],
        "3 letters": [address[:3] for _, address in people],
        "two words": [f"{n.split()[0][:2]} {n.split()[1][:2]}" for n, _ in people],
        "name and domain": [f"{n[:3]} {a.partition('@')[2][:6]}" for n, a in people],
    }.items():
        times = timer.times(lambda q: api.get("/mailboxes/me/contacts", params={"q": q}), asked, 3)
        yield {"row": f"contacts, {what}, HTTP, {count}, p50 · p99", **times}


def _counters(api: httpx.Client) -> Row:
    """Page every label to its end and compare with its counter."""
    wrong: dict[str, Any] = {}
    begun, seen = time.monotonic(), 0
    for row in api.get("/mailboxes/me/labels").json()["labels"]:
        found = page_to_end(api, labelIds=row["id"], maxResults=500)
        seen += len(found)
        if not len(found) == len(set(found)) == row["messagesTotal"]:
            wrong[row["name"]] = (row["messagesTotal"], len(found), len(set(found)))
    return {
        "row": "labels whose counter is not what paging gives",
        "unit": "labels",
        "value": len(wrong),
        "wrong": wrong,
        "paged/s": round(seen / (time.monotonic() - begun)),
    }


def _paged(running: System, folder: Path, variation: Variation, count: int) -> Row:
    begun = time.monotonic()
    page_while_mail_arrives(running, folder, ADDRESS, (START, variation.date(count)), 500, 12)
    return {
        "row": "a label of half of them paged while mail arrives: repeats and gaps",
        "unit": "messages",
        "value": 0,
        "seconds": round(time.monotonic() - begun),
    }


def main() -> None:
    """Print the rows."""
    kept = os.environ.get("MAILFOLD_BENCH_DATA")
    if kept and shutil.disk_usage(Path(kept).parent).free < 20_000_000_000:
        print(f"{kept}: a million messages take 10 GB", file=sys.stderr)
    for row in million(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000):
        more = {k: v for k, v in row.items() if k not in ("row", "value", "unit")}
        print(f"{row['row']:<66} {row['value']!s:>10} {row['unit']:<12} {more or ''}", flush=True)


if __name__ == "__main__":
    main()
