"""The folder in which fetched software is kept: each item is there whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.locks import locked

_FETCH_SECONDS = 900.0


def cache_folder(environment: Mapping[str, str]) -> Path:
    """MAILFOLD_ENGINES_CACHE, or the user's cache folder."""
    named = environment.get("MAILFOLD_ENGINES_CACHE")
    if named:
        return Path(named).absolute()
    base = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "mailfold", "engines").absolute()


def fetched(cache: Path, item: str, fill: Callable[[Path], None]) -> Path:
    """The folder `item` of the cache; `fill` is given an empty folder when it is not there yet.

    Of several processes that want it at once, one fetches and the others wait. What an
    interrupted fetch left behind is removed by the next. Raises what `fill` raises, and
    LockHeld when another process fetches for more than 15 minutes.
    """
    target = cache / item
    if target.is_dir():
        return target
    with locked(cache / f"{item}.lock", _FETCH_SECONDS):
        if target.is_dir():
            return target
        for abandoned in cache.glob(f"{item}.part-*"):
            shutil.rmtree(abandoned)
        staging = Path(tempfile.mkdtemp(prefix=f"{item}.part-", dir=cache))
        staging.chmod(0o755)  # an engine may run as another user
        fill(staging)
        os.replace(staging, target)
        return target
