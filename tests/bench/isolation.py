"""How long a call with a name of somebody else takes, and with one that nobody has.

That the same work is done for both is proved in tests/e2e/test_foreign_work.py; this is what a
clock says from outside.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.e2e.suite import ANN, BOB
from tests.e2e.two_accounts import another, calls, make, names_of, tries, two_accounts

ROUNDS = 100


def isolation() -> dict[str, Any]:
    """Return the row: medians over all calls, and of each call foreign and absent in ms."""
    with tempfile.TemporaryDirectory(prefix="mailfold-bench-") as folder:
        system = two_accounts(Path(folder))
        try:
            with system.api(ANN) as ann, system.api(BOB) as bob:
                theirs, mine = names_of(ann), names_of(bob)
                either = (theirs, another(theirs))
                each: dict[str, tuple[float, float]] = {}
                for call, name, more in tries(calls(bob), mine):
                    times: tuple[list[float], list[float]] = ([], [])
                    for _ in range(ROUNDS):
                        for names, taken in zip(either, times, strict=True):
                            begun = time.perf_counter()
                            make(bob, call, mine, name, names, **more)
                            taken.append((time.perf_counter() - begun) * 1000)
                    foreign, absent = (round(median(x), 2) for x in times)
                    asked = "&".join(more)
                    each[f"{call.method} {call.path} {name} {asked}"] = foreign, absent
        finally:
            system.stop()
    foreign, absent = (round(median(x), 2) for x in zip(*each.values(), strict=True))
    return {
        "row": f"a name of another account, one of nobody ({len(each)} calls, medians)",
        "unit": "ms",
        "value": foreign,
        "absent": absent,
        "each": each,
    }
