"""A model of a disk that loses what was not synced.

Real files take every write at once, so that all processes see them as usual. Beside them this model
keeps what the disk would hold if the power went now: a file's bytes as of its last sync and the
writes since then, a folder's names as of its last sync.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

SECTOR = 512

Loss = Literal["all", "some", "none"]
"""What of the unsynced is lost: all of it; a random choice of sectors and names, as a disk that
writes back in any order; nothing, as when a process dies and the kernel lives."""


@dataclass
class Write:
    """A write since the last sync; `data` None cuts the file to `offset` octets."""

    offset: int
    data: bytes | None


def _apply(content: bytearray, write: Write) -> None:
    if write.data is None:
        del content[write.offset :]
        if len(content) < write.offset:
            content.extend(bytes(write.offset - len(content)))
        return
    if len(content) < write.offset:
        content.extend(bytes(write.offset - len(content)))
    content[write.offset : write.offset + len(write.data)] = write.data


@dataclass
class Inode:
    """A file; `folder` instead of content for a folder."""

    folder: bool = False
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Write] = field(default_factory=list[Write])

    def sync(self) -> None:
        for write in self.pending:
            _apply(self.durable, write)
        self.pending.clear()

    def fail_to_sync(self) -> None:
        """Linux calls pages clean that it could not write: no later sync brings them to disk."""
        self.pending.clear()

    def after(self, loss: Loss, rng: random.Random) -> bytes:
        """Return what is read after the power came back."""
        content = bytearray(self.durable)
        for write in self.pending:
            if loss == "none":
                _apply(content, write)
            elif loss == "some":
                _apply_some(content, write, rng)
        return bytes(content)


def _apply_some(content: bytearray, write: Write, rng: random.Random) -> None:
    if write.data is None:
        if rng.random() < 0.5:
            _apply(content, write)
        return
    for start in range(0, len(write.data), SECTOR):
        if rng.random() < 0.5:
            _apply(content, Write(write.offset + start, write.data[start : start + SECTOR]))


class Platter:
    """The disk under one folder; `cut` is called before an operation, with the operation's name."""

    def __init__(self, root: str, cut: Callable[[str], None] = lambda _: None) -> None:
        self.root = root
        self.cut = cut
        self.operations = 0
        self._lock = threading.RLock()
        self._live: dict[str, Inode] = {}
        self._named: dict[str, Inode] = {root: Inode(folder=True)}

    @contextmanager
    def operation(self, name: str) -> Generator[None]:
        """One operation on the real file and on the model together."""
        with self._lock:
            self.operations += 1
            self.cut(name)
            yield

    @contextmanager
    def syncing(self, name: str, inode: Inode) -> Generator[None]:
        """An operation that syncs a file, or fails to."""
        try:
            with self.operation(name):
                inode.sync()
                yield
        except Exception:
            inode.fail_to_sync()
            raise

    # -- files

    def file(self, path: str, created: bool) -> Inode:
        with self._lock:
            if created or path not in self._live:
                self._live[path] = Inode()
            return self._live[path]

    def rename(self, source: str, target: str) -> None:
        self._live[target] = self._live.pop(source)

    def unlink(self, path: str) -> None:
        self._live.pop(path, None)

    def make_folder(self, path: str) -> None:
        self._live[path] = Inode(folder=True)

    def sync_folder(self, folder: str) -> None:
        inside = {p for p in {*self._live, *self._named} if os.path.dirname(p) == folder}
        for path in inside:
            if path in self._live:
                self._named[path] = self._live[path]
            else:
                del self._named[path]

    # -- the cut

    def save(self, target: str, loss: Loss, rng: random.Random) -> None:
        """Write into the folder `target` what the disk holds when the power goes now."""
        with self._lock:
            self._save(target, loss, rng)

    def _save(self, target: str, loss: Loss, rng: random.Random) -> None:
        names = dict(self._named)
        if loss == "none":
            names = {self.root: names[self.root], **self._live}
        elif loss == "some":
            for path in {*names, *self._live} - {self.root}:
                if names.get(path) is self._live.get(path) or rng.random() < 0.5:
                    continue
                if path in self._live:
                    names[path] = self._live[path]
                else:
                    del names[path]
        for path in sorted(names):
            if not self._reachable(path, names):
                continue
            there = target + path[len(self.root) :]
            inode = names[path]
            if inode.folder:
                os.makedirs(there, exist_ok=True)
            else:
                with open(there, "wb") as f:
                    f.write(inode.after(loss, rng))

    def _reachable(self, path: str, names: dict[str, Inode]) -> bool:
        while path != self.root:
            if path not in names:
                return False
            path = os.path.dirname(path)
        return True

    def sync_path(self, path: str) -> None:
        """What fsync of a file by its name does."""
        with self.syncing("sync by name", self._live[path]):
            pass
