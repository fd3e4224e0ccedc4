"""Large parts as files, named by their hex name, two levels of folders deep."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from infra.ports import EngineDown, PartMissing


class References(Protocol):
    """Where the references from mails to parts stand."""

    def add(self, mail_id: str, names: Sequence[bytes]) -> None:
        """Note durably that a mail needs these parts. Raises EngineDown."""
        ...


class Disk(Protocol):
    """What the store asks of a file system; a test cuts its power."""

    def write_durably(self, path: str, data: bytes) -> None:
        """Make a new file at `path` with `data`, its content on disk on return."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Rename, durable after `sync_folder` of the target's folder."""
        ...

    def make_folder(self, path: str) -> bool:
        """Make a folder; return False when it was there. Durable after its parent is synced."""
        ...

    def sync_folder(self, path: str) -> None:
        """Put the names in a folder on disk."""
        ...


class RealDisk:
    """The file system of the machine."""

    def write_durably(self, path: str, data: bytes) -> None:
        """Make a new file at `path` with `data`, its content on disk on return."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, source: str, target: str) -> None:
        """Rename, durable after `sync_folder` of the target's folder."""
        os.rename(source, target)

    def make_folder(self, path: str) -> bool:
        """Make a folder; return False when it was there. Durable after its parent is synced."""
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            return False
        return True

    def sync_folder(self, path: str) -> None:
        """Put the names in a folder on disk."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


class FileParts:
    """The parts store on files (port PartStore); any number of processes may use one folder.

    A part is complete when it has its name. References are written after the files and before the
    event, so a part that no reference needs is garbage once it is older than any put in progress.
    """

    def __init__(self, folder: Path, references: References, disk: Disk | None = None) -> None:
        """Use `folder`, made when it is not there. Raises EngineDown."""
        self._folder = folder.resolve()
        self._references = references
        self._disk = disk or RealDisk()
        self._numbers = itertools.count()
        self._durable: set[str] = set()
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._ensure_folder(os.fspath(self._folder))
        except OSError as e:
            raise EngineDown(f"parts: {e.strerror}") from e

    def _ensure_folder(self, path: str) -> None:
        if path in self._durable:
            return
        # Synced also when it was there: whoever made it may not have come to that yet.
        self._disk.make_folder(path)
        self._disk.sync_folder(os.path.dirname(path))
        self._durable.add(path)

    def _folder_of(self, path: str) -> str:
        folder = os.path.dirname(path)
        self._ensure_folder(os.path.dirname(folder))
        self._ensure_folder(folder)
        return folder

    def path_of(self, name: bytes) -> str:
        """Return the path of a part."""
        h = name.hex()
        return f"{self._folder}/{h[:2]}/{h[2:4]}/{h}"

    def put(self, mail_id: str, parts: Mapping[bytes, bytes]) -> None:
        """Store parts and the references of `mail_id` to them; a known one refreshes its age.

        Raises EngineDown.
        """
        if not parts:
            return
        try:
            for name, data in parts.items():
                if not self._refresh(name):
                    self._write(name, data)
        except OSError as e:
            raise EngineDown(f"parts: {e.strerror}") from e
        self._references.add(mail_id, tuple(parts))

    def _refresh(self, name: bytes) -> bool:
        path = self.path_of(name)
        try:
            os.utime(path)
        except FileNotFoundError:
            return False
        # Whoever put it may have died between naming it and syncing the name.
        self._disk.sync_folder(self._folder_of(path))
        return True

    def _write(self, name: bytes, data: bytes) -> None:
        path = self.path_of(name)
        folder = self._folder_of(path)
        # The writer's own: two that put one part don't meet, and the last rename wins with the
        # same bytes.
        temporary = f"{path}.{os.getpid()}-{id(self):x}-{next(self._numbers)}"
        try:
            self._disk.write_durably(temporary, data)
            self._disk.rename(temporary, path)
        except OSError:
            _remove(temporary)
            raise
        self._disk.sync_folder(folder)

    def aside_of(self, name: bytes) -> str:
        """Return the path at which a part waits for the last look before it is deleted."""
        return self.path_of(name) + ".gone"

    def get(self, name: bytes) -> bytes:
        """Return a part. Raises PartMissing, EngineDown."""
        path = self.path_of(name)
        # One that is aside may come back between two looks.
        for place in (path, self.aside_of(name), path):
            try:
                with open(place, "rb") as f:
                    return f.read()
            except FileNotFoundError:
                continue
            except OSError as e:
                raise EngineDown(f"parts: {e.strerror}") from e
        raise PartMissing(name.hex())


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        # What is left of a failed write is garbage of no name.
        return
