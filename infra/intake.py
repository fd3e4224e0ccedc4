"""The one way in for mail: group commit over all sessions, in a thread of its own."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infra.ports import (
    Arrival,
    Checkpoint,
    EngineDown,
    EventLog,
    KeyStore,
    KeyTaken,
    PartStore,
)

_LARGEST_BATCH = 200
_LARGEST_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A session that waits for its mail to be durable."""

    arrival: Arrival
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]

    @property
    def size(self) -> int:
        parts = sum(map(len, self.arrival.parts.values()))
        return len(self.arrival.received.value) + parts


class GroupIntake:
    """Takes as many arrivals as wait, and makes them durable together (port Intake).

    Parts first, then keys, then Received: whatever stops it in between leaves garbage, never a
    Received that can't be read.
    """

    def __init__(
        self,
        parts: PartStore,
        keys: KeyStore,
        log: EventLog,
        checkpoint: Checkpoint = lambda _: None,
    ) -> None:
        """Start the thread; the stores are used by it alone from now on."""
        self._parts = parts
        self._keys = keys
        self._log = log
        self._checkpoint = checkpoint
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    async def accept(self, arrival: Arrival) -> None:
        """Return when the mail is durable. Raises EngineDown with nothing half accepted.

        Raises KeyTaken when the mail_id has another key.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(arrival, loop, loop.create_future())
        with self._closing:
            if self._closed:
                raise EngineDown("the intake is closed")
            self._queue.put(waiting)
        await waiting.future

    def close(self) -> None:
        """Take no more, make durable what waits, and end the thread."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    # -- the thread

    def _run(self) -> None:
        open_ = True
        while open_:
            batch: list[_Waiting] = []
            size = 0
            item = self._queue.get()
            while True:
                if item is None:
                    open_ = False
                    break
                batch.append(item)
                size += item.size
                if len(batch) >= _LARGEST_BATCH or size >= _LARGEST_BYTES:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            if batch:
                self._take(batch)

    def _take(self, batch: Sequence[_Waiting]) -> None:
        results: list[tuple[_Waiting, BaseException | None]] = []
        stored: list[_Waiting] = []
        self._checkpoint("intake.taken")
        for w in batch:
            # A session that is gone has had no 250, so its client sends the mail again.
            if w.future.cancelled():
                continue
            error = self._attempt(lambda w=w: self._parts.put(w.arrival.mail_id, w.arrival.parts))
            if error is None:
                stored.append(w)
            else:
                results.append((w, error))
        results += self._commit(stored)
        _resolve(results)

    def _commit(self, batch: Sequence[_Waiting]) -> list[tuple[_Waiting, BaseException | None]]:
        if not batch:
            return []
        error = self._attempt(lambda: self._append(batch))
        if error is None or isinstance(error, EngineDown) or len(batch) == 1:
            return [(w, error) for w in batch]
        # One that can't be taken must not refuse the others.
        return [result for w in batch for result in self._commit([w])]

    def _append(self, batch: Sequence[_Waiting]) -> None:
        keys: dict[str, bytes] = {}
        for w in batch:
            arrival = w.arrival
            if keys.setdefault(arrival.mail_id, arrival.key) != arrival.key:
                raise KeyTaken([arrival.mail_id])
        self._checkpoint("intake.parts")
        self._keys.put(keys)
        self._checkpoint("intake.keys")
        self._log.append([w.arrival.received for w in batch])
        self._checkpoint("intake.received")

    def _attempt(self, call: Callable[[], None]) -> BaseException | None:
        try:
            call()
        except Exception as e:  # noqa: BLE001 (handed to the session that waits)
            return e
        return None


def _resolve(results: Sequence[tuple[_Waiting, BaseException | None]]) -> None:
    """Tell the sessions, with one call into each event loop."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[tuple[_Waiting, BaseException | None]]]
    by_loop = defaultdict(list)
    for w, error in results:
        by_loop[w.loop].append((w, error))

    def tell(them: list[tuple[_Waiting, BaseException | None]]) -> None:
        for w, error in them:
            if w.future.done():
                continue
            if error is None:
                w.future.set_result(None)
            elif isinstance(error, EngineDown):
                # One for each: an exception gathers the traceback of everybody who raises it.
                w.future.set_exception(EngineDown(error.text, error.fault))
            else:
                w.future.set_exception(error)

    for loop, them in by_loop.items():
        try:
            loop.call_soon_threadsafe(tell, them)
        except RuntimeError:
            # The loop is closed, and with it every session that waited in it.
            continue
