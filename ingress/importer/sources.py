"""Find mail in files: mbox, Maildir, single messages, folders and tars of them, compressed or not.

Everything is read in a fixed order, so that an import that was broken off meets the same mails
again.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import mmap
import re
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from ingress.importer import mbox
from ingress.importer.dates import from_line_date, header_date
from ingress.importer.kept import Found, Kept, Marks, NotMail, Unreadable, crlf
from ingress.importer.marks import is_maildir_name, maildir_marks, mbox_marks
from mail.fields import split_header

_SECOND = 1_000_000
_IN_MEMORY = 32 * 1024 * 1024
_FIRST_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
# Fields of which one at least is in every mail, and hardly in any other text.
_MAIL_FIELDS = frozenset(
    b"from to subject date received return-path message-id mime-version delivered-to sender "
    b"reply-to content-type x-mailer".split()
)
_SNIFFED = 16 * 1024
_MAIL_SUFFIXES = frozenset((".eml", ".mbox", ".mbx", ".mail"))
_COMPRESSED = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, ValueError)
"""What reading a file that is gone, cut or damaged raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file that may hold mail."""

    origin: str
    folder: str
    """Name of the folder it lies in."""
    name: str
    modified: int
    """Microseconds since 1970 UTC."""
    named: bool
    """A person named this very file, so it is mail."""
    data: mbox.Bytes


@dataclass(slots=True)
class Meter:
    """How far the reading has come, octets of files as they lie on disk."""

    total: int = 0
    done: int = 0


def mails(paths: Sequence[Path], meter: Meter | None = None) -> Iterator[Found]:
    """Return all mail below `paths`, folder by folder, and what could not be read.

    Symbolic links below a folder are not followed. Never raises for what it finds.
    """
    gauge = meter if meter is not None else Meter()
    files: list[tuple[Path, bool]] = []
    for path in paths:
        if not path.is_dir():
            files.append((path, True))
            continue
        for found in _walk(path):
            if isinstance(found, Path):
                files.append((found, False))
            else:
                yield found
    gauge.total = sum(_size(p) for p, _ in files)
    read = 0
    for path, named in files:
        size = _size(path)

        def at(position: int, start: int = read, most: int = size) -> None:
            gauge.done = start + min(position, most)

        try:
            yield from _path(path, named, at)
        except _BROKEN as e:
            yield Unreadable(str(path), _reason(e))
        read += size
        gauge.done = read


def _reason(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _walk(folder: Path) -> Iterator[Path | Unreadable]:
    try:
        below = sorted(folder.iterdir())
    except OSError as e:
        yield Unreadable(str(folder), _reason(e))
        return
    is_maildir = any(p.name in ("cur", "new") and p.is_dir() for p in below)
    for path in below:
        if path.is_symlink():
            continue
        if path.is_dir():
            # What lies in tmp has not been delivered yet.
            if not (is_maildir and path.name == "tmp"):
                yield from _walk(path)
        elif path.is_file():
            yield path


def _path(path: Path, named: bool, at: Callable[[int], None]) -> Iterator[Found]:
    with path.open("rb") as handle:
        start = handle.read(6)
        handle.seek(0)
        opener = next((o for magic, o in _COMPRESSED if start.startswith(magic)), None)
        if opener is None:
            if _is_tar(handle):
                yield from _tar(cast("IO[bytes]", handle), str(path), lambda: at(handle.tell()))
                return
            with _content(handle, _size(path)) as data:
                yield from _file(_from_disk(path, data, named), at)
            return
        with cast("IO[bytes]", opener(handle)) as unpacked:
            tar = _is_tar(unpacked)
            if tar:
                moved = lambda: at(handle.tell())  # noqa: E731
                yield from _tar(unpacked, str(path), moved, stream=True)
                return
            with _spooled(unpacked) as (whole, size), _content(whole, size) as data:
                yield from _file(_from_disk(path, data, named), lambda _: None)


def _is_tar(handle: IO[bytes]) -> bool:
    block = handle.read(tarfile.BLOCKSIZE)
    handle.seek(0)
    try:
        # The header of a member carries its own checksum, in every variant of tar.
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


@contextmanager
def _spooled(source: IO[bytes]) -> Generator[tuple[IO[bytes], int]]:
    """Copy into memory, or when it is large into a file that has no name; with the size."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as out:
        while chunk := source.read(1024 * 1024):
            out.write(chunk)
        yield cast("IO[bytes]", out), out.tell()


@contextmanager
def _content(handle: IO[bytes], size: int) -> Generator[mbox.Bytes]:
    if size <= _IN_MEMORY:
        handle.seek(0)
        yield handle.read()
        return
    with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        yield mapped


def _from_disk(path: Path, data: mbox.Bytes, named: bool) -> File:
    return File(
        origin=str(path),
        folder=path.absolute().parent.name,
        name=path.name,
        modified=path.stat().st_mtime_ns // 1000,
        named=named,
        data=data,
    )


def _tar(
    handle: IO[bytes], origin: str, moved: Callable[[], None], *, stream: bool = False
) -> Iterator[Found]:
    # A compressed file can't step back; to seek in it would be to unpack it again.
    with tarfile.open(fileobj=handle, mode="r|" if stream else "r:") as archive:
        maildirs: set[PurePosixPath] = set()
        for member in archive:
            moved()
            path = PurePosixPath(member.name)
            if member.isdir() and path.name in ("cur", "new"):
                maildirs.add(path.parent)
            in_tmp = path.parent.name == "tmp" and path.parent.parent in maildirs
            if member.isfile() and not in_tmp:
                yield from _member(archive, member, f"{origin}:{member.name}")


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo, origin: str) -> Iterator[Found]:
    path = PurePosixPath(member.name)
    content = archive.extractfile(member)
    if content is None:
        return
    with _content_of_member(content, member.size) as data:
        file = File(
            origin=origin,
            folder=path.parent.name,
            name=path.name,
            modified=int(member.mtime * _SECOND),
            named=False,
            data=data,
        )
        yield from _file(file, lambda _: None)


@contextmanager
def _content_of_member(content: IO[bytes], size: int) -> Generator[mbox.Bytes]:
    if size <= _IN_MEMORY:
        yield content.read()
        return
    with _spooled(content) as (whole, copied), _content(whole, copied) as data:
        yield data


def _file(file: File, at: Callable[[int], None]) -> Iterator[Found]:
    if file.folder in ("cur", "new") and is_maildir_name(file.name):
        marks = maildir_marks(file.name) if file.folder == "cur" else Marks()
        # The time of delivery is the file's (maildir(5)); a program that moves it keeps it.
        yield _message(file.origin, bytes(file.data[:]), file.modified, marks)
    elif mbox.is_mbox(file.data):
        yield from _mbox(file, at)
    elif file.named or _looks_like_mail(file):
        content = bytes(file.data[:])
        date = header_date(split_header(content))
        yield _message(file.origin, content, file.modified if date is None else date, Marks())
    else:
        yield NotMail(file.origin)


def _mbox(file: File, at: Callable[[int], None]) -> Iterator[Found]:
    for number, message in enumerate(mbox.messages(file.data)):
        at(message.end)
        origin = f"{file.origin}#{number}"
        header = split_header(message.content)
        date = from_line_date(message.from_line)
        if date is None:
            date = header_date(header)
        marks = mbox_marks(message.content[: header.body])
        yield _message(origin, message.content, file.modified if date is None else date, marks)


def _message(origin: str, content: bytes, date: int | None, marks: Marks) -> Found:
    if not content:
        return Unreadable(origin, "empty")
    return Kept(origin, crlf(content), date, marks)


def _looks_like_mail(file: File) -> bool:
    start = bytes(file.data[:_SNIFFED])
    if PurePosixPath(file.name).suffix.lower() in _MAIL_SUFFIXES:
        return bool(start)
    if _FIRST_FIELD.match(start) is None:
        return False
    return any(f.name in _MAIL_FIELDS for f in split_header(start).fields)
