"""Where blocking work is done, so that the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Small pools, so that slow work of one kind never holds up another."""

    def __init__(self) -> None:
        # One thread: log, content and keys may share a connection that takes one call at a time.
        self._engines = ThreadPoolExecutor(1, "api-engines")
        # An argon2 hash takes 64 MiB; two at once bound the memory that logins can take.
        self._hashing = ThreadPoolExecutor(2, "api-hashing")
        self._parsing = ThreadPoolExecutor(2, "api-parsing")
        self._searching = ThreadPoolExecutor(2, "api-searching")

    async def engines(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call to an engine."""
        return await _run(self._engines, lambda: call(*args, **kwargs))

    async def hashing(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that hashes a password."""
        return await _run(self._hashing, lambda: call(*args, **kwargs))

    async def parsing(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that takes a message apart."""
        return await _run(self._parsing, lambda: call(*args, **kwargs))

    async def searching(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a search."""
        return await _run(self._searching, lambda: call(*args, **kwargs))

    def close(self) -> None:
        """End the threads when what they do is done."""
        for pool in (self._engines, self._hashing, self._parsing, self._searching):
            pool.shutdown(wait=False, cancel_futures=True)


async def _run(pool: ThreadPoolExecutor, call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, call)
