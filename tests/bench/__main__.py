"""`make bench`: the rows of the README's figures, as a table and as bench.json.

`python -m tests.bench [ROW …]` runs only rows whose name contains one of the words. With
MAILFOLD_BENCH_LARGE=1 the rows of a mailbox of 1,000,000 messages come too; another number is its
size.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.authentication import rows as authentication
from tests.bench.contacts import contacts
from tests.bench.isolation import isolation
from tests.bench.large import large_mailbox
from tests.bench.million import million
from tests.bench.throughput import import_mbox, latency, smtp_to_searchable
from tests.bench.time_travel import time_travel
from tests.system import ROOT

_ASKED = int(os.environ.get("MAILFOLD_BENCH_LARGE", "0"))
MILLION = 1_000_000 if _ASKED == 1 else _ASKED

Row = dict[str, Any]


def _runners() -> Iterator[Row]:
    from tests.bench.runners import runners

    return runners()


ROWS: dict[str, Callable[[], Iterator[Row]]] = {
    "smtp 2 kB": lambda: iter([smtp_to_searchable(2_000, 6_000)]),
    "smtp 10 kB": lambda: iter([smtp_to_searchable(10_000, 6_000)]),
    "smtp 75 kB": lambda: iter([smtp_to_searchable(75_000, 2_000)]),
    "smtp 1 MB": lambda: iter([smtp_to_searchable(1_000_000, 300)]),
    "latency": lambda: iter([latency(300, 20)]),
    "import": lambda: iter([import_mbox(6_000)]),
    "large": lambda: large_mailbox(100_000),
    "time travel": lambda: time_travel(100_000),
    "contacts": lambda: contacts(50_000),
    "isolation": lambda: iter([isolation()]),
    "authentication": authentication,
    "runner": _runners,
    **({"million": lambda: million(MILLION)} if MILLION else {}),
}


def _machine() -> dict[str, Any]:
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def main(words: list[str]) -> None:
    """Run the rows and write bench.json."""
    document: dict[str, Any] = {"machine": _machine(), "rows": []}
    print(json.dumps(document["machine"]))
    for name, run in ROWS.items():
        if words and not any(w in name for w in words):
            continue
        for row in run():
            document["rows"].append(row)
            more = {k: v for k, v in row.items() if k not in ("row", "value", "unit")}
            print(
                f"{row['row']:<58} {row['value']!s:>10} {row['unit']:<12} {more or ''}", flush=True
            )
    (ROOT / "bench.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
