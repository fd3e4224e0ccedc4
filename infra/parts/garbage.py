"""Parts that no mail needs: marked, left alone for a while, looked at once more, deleted.

A door puts a part in three steps: it refreshes the age of the file, or writes it; it notes the
reference; it appends the event. The parts of a mail that is on its way are in none of the mails
that are known, so a part is deleted only when all of this holds at the end:

- it was marked longer ago than a put takes from its first step to its reference;
- no mail needs it, asked when no put can find it any more under its name;
- its age is the one that it had when it was marked, so no put has found it since.

To make the last look final the file is moved aside first. A put that comes later finds none and
writes it anew; one that came before has left its trace, and the file goes back.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from infra.parts.files import Disk, FileParts, RealDisk
from infra.ports import Checkpoint, EngineDown
from infra.sqlite.references import SqliteReferences

GRACE = 30.0
"""Seconds from the first step of a put to its reference: the longest waits for disk and lock."""

_SECOND = 1_000_000


class FileGarbage:
    """The garbage of a parts store on files (port PartGarbage)."""

    def __init__(
        self,
        parts: FileParts,
        references: SqliteReferences,
        grace: float = GRACE,
        checkpoint: Checkpoint = lambda _: None,
        disk: Disk | None = None,
    ) -> None:
        """`grace` is in seconds."""
        self._parts = parts
        self._references = references
        self._grace = int(grace * _SECOND)
        self._checkpoint = checkpoint
        self._disk = disk or RealDisk()

    def release(self, mail_ids: Sequence[str], now: int) -> None:
        """Forget what mails need; mark what nobody needs then. Raises EngineDown."""
        self._references.release(mail_ids, lambda name: _age(self._parts.path_of(name)), now)

    def next(self) -> int | None:
        """Return when `collect` has something to do. Raises EngineDown."""
        first = self._references.first_mark()
        return None if first is None else first + self._grace

    def collect(self, now: int) -> int | None:
        """Delete what has been marked for long enough; return when there is more to do.

        Stopped anywhere, the next call ends what it began. Raises EngineDown.
        """
        for name, age in self._references.marked(now - self._grace):
            try:
                self._collect(name, age, now)
            except OSError as e:
                raise EngineDown(f"parts: {e.strerror}") from e
        return self.next()

    def _collect(self, name: bytes, age: int, now: int) -> None:
        at = self._checkpoint
        path, aside = self._parts.path_of(name), self._parts.aside_of(name)
        at("garbage.begun")
        if self._references.needed(name):
            self._restore(path, aside)
            self._references.unmark(name)
            return
        at("garbage.asked")
        if os.path.exists(path):
            self._disk.rename(path, aside)
        at("garbage.aside")
        found = _age(aside)
        if found is None:
            # It went in a run that was stopped before it could say so.
            self._references.unmark(name)
            return
        if self._references.needed(name):
            self._restore(path, aside)
            at("garbage.restored")
            self._references.unmark(name)
            return
        if found != age:
            # Somebody puts it just now; whether the reference comes is seen the next time.
            self._restore(path, aside)
            at("garbage.restored")
            self._references.mark(name, found, now)
            return
        at("garbage.last")
        os.unlink(aside)
        at("garbage.unlinked")
        self._disk.sync_folder(os.path.dirname(path))
        self._references.unmark(name)
        at("garbage.done")

    def _restore(self, path: str, aside: str) -> None:
        if os.path.exists(aside):
            # Whoever has put it anew meanwhile has put the same octets.
            self._disk.rename(aside, path)
            self._disk.sync_folder(os.path.dirname(path))


def _age(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return None
    except OSError as e:
        raise EngineDown(f"parts: {e.strerror}") from e
