"""The registry of fuzz targets: name -> function and seeds.

To add targets, write `tests/fuzz/SUBJECT.py` with functions `fuzz_NAME(data: bytes) -> None` that
raise on a defect and a dictionary TARGETS of them, and add that dictionary here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.fuzz import authentication, ingress_targets, mail_formats, outbound, search


class Target(NamedTuple):
    """A function that takes any octets and raises on a defect, and where its seeds come from."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


TARGETS: dict[str, Target] = {
    name: Target(run, seeds)
    for subject in (authentication, ingress_targets, mail_formats, outbound, search)
    for name, (run, seeds) in subject.TARGETS.items()
}
