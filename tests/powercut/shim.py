"""SQLite and the parts store on the platter: a VFS of apsw, and a Disk."""

from __future__ import annotations

import os

import apsw

from infra.parts.files import RealDisk
from tests.powercut.platter import Platter, Write

_JOURNALS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL


class CutFile(apsw.VFSFile):
    """A file of SQLite."""

    def __init__(
        self, platter: Platter, path: str, name: apsw.URIFilename | str, flags: list[int]
    ) -> None:
        created = not os.path.exists(path)
        super().__init__("", name, flags)
        self._platter = platter
        self._inode = platter.file(path, created)
        self._folder = os.path.dirname(path)
        # SQLite's unix VFS syncs the folder with the first sync of a journal or WAL it made.
        self._sync_folder = created and bool(flags[0] & _JOURNALS)
        self._kind = path.rpartition("-")[2] if path.endswith(("-wal", "-journal")) else "db"

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        with self._platter.operation(f"{self._kind} write"):
            super().xWrite(data, offset)
            self._inode.pending.append(Write(offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        with self._platter.operation(f"{self._kind} truncate"):
            super().xTruncate(newsize)
            self._inode.pending.append(Write(newsize, None))

    def xSync(self, flags: int) -> None:  # noqa: N802
        # The real sync is left out: no power is cut, and the model is what is looked at.
        with self._platter.syncing(f"{self._kind} sync", self._inode):
            if self._sync_folder:
                self._platter.sync_folder(self._folder)
                self._sync_folder = False


class CutVFS(apsw.VFS):
    """SQLite's own VFS, with each write and sync told to the platter."""

    def __init__(self, name: str, platter: Platter) -> None:
        super().__init__(name, "")
        self._platter = platter

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if name is None:
            return apsw.VFSFile("", name, flags)
        path = name if isinstance(name, str) else name.filename()
        return CutFile(self._platter, path, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        with self._platter.operation("delete"):
            super().xDelete(filename, syncdir)
            self._platter.unlink(filename)
            if syncdir:
                self._platter.sync_folder(os.path.dirname(filename))


class CutDisk(RealDisk):
    """The disk of the parts store."""

    def __init__(self, platter: Platter) -> None:
        self._platter = platter

    def write_durably(self, path: str, data: bytes) -> None:
        with self._platter.operation("part write"):
            with open(path, "xb") as f:
                f.write(data)
            inode = self._platter.file(path, created=True)
            inode.pending.append(Write(0, data))
        with self._platter.syncing("part sync", inode):
            pass

    def rename(self, source: str, target: str) -> None:
        with self._platter.operation("part rename"):
            super().rename(source, target)
            self._platter.rename(source, target)

    def make_folder(self, path: str) -> bool:
        with self._platter.operation("folder"):
            made = super().make_folder(path)
            if made:
                self._platter.make_folder(path)
            return made

    def sync_folder(self, path: str) -> None:
        with self._platter.operation("folder sync"):
            self._platter.sync_folder(path)
