"""Waking other processes of this installation through datagram sockets in its run folder."""

from __future__ import annotations

import errno
import itertools
import os
import select
import socket
import stat
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from infra.ports import EngineDown

_LONGEST_FOLDER = 50
"""sun_path holds 104 octets (108 on Linux), its NUL and the longest name of ours included."""


class SocketWake:
    """Wakes listeners in all processes that use the same folder (port Wake)."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, made when it is not there. Raises EngineDown."""
        self._wanted = folder
        self._folder = _reachable(folder)
        self._numbers = itertools.count()
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sender.setblocking(False)

    def notify(self, channel: str) -> None:
        """Tell whoever waits on `channel`; never blocks, never fails."""
        try:
            with os.scandir(self._folder) as entries:
                paths = [e.path for e in entries if e.name.rsplit(".", 2)[0] == channel]
        except OSError:
            # Without the folder there is no listener.
            return
        for path in paths:
            self._tell(path)

    def _tell(self, path: str) -> None:
        try:
            self._sender.sendto(b"\0", path)
        except ConnectionRefusedError:
            # Its process is gone: a bound socket refuses nothing.
            _remove(path)
        except OSError:
            # Full: there are notifications enough to wake it. Gone: it needs none.
            return

    def listen(self, channel: str) -> SocketListener:
        """Return a listener; what was notified before is not heard. Raises EngineDown."""
        while True:
            path = os.fspath(self._folder / f"{channel}.{os.getpid()}.{next(self._numbers)}")
            receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            receiver.setblocking(False)
            try:
                receiver.bind(path)
                return SocketListener(receiver, path)
            except OSError as e:
                receiver.close()
                if e.errno == errno.ENOENT:
                    # Whoever closed last took the folder away.
                    self._folder = _reachable(self._wanted)
                    continue
                # Another object of this process has the number, or a dead process of the same id.
                if e.errno != errno.EADDRINUSE:
                    raise EngineDown(f"can't listen in {self._folder}: {e.strerror}") from e

    def close(self) -> None:
        """Give the sending socket back, and a folder of temporary names that nobody uses."""
        self._sender.close()
        if self._folder != self._wanted.resolve():
            with suppress(OSError):  # still used, or gone
                self._folder.rmdir()


class SocketListener:
    """One waiter on a channel (port Listener)."""

    def __init__(self, receiver: socket.socket, path: str) -> None:
        self._receiver = receiver
        self._path = path

    def fileno(self) -> int:
        """Return a file descriptor that is readable when something was notified."""
        return self._receiver.fileno()

    def drain(self) -> None:
        """Take all notifications; call it before reading what they tell of."""
        while True:
            try:
                self._receiver.recv(1)
            except BlockingIOError:
                return

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds and drain; return whether something was notified."""
        # poll and not select, which knows no descriptor above 1023.
        poll = select.poll()
        poll.register(self._receiver, select.POLLIN)
        heard = bool(poll.poll(max(0.0, timeout) * 1000))
        self.drain()
        return heard

    def close(self) -> None:
        """Stop listening."""
        self._receiver.close()
        _remove(self._path)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        # Somebody else removed it, or the next notification will try again.
        return


def _reachable(folder: Path) -> Path:
    """Return `folder`, or where a socket's name is short enough, the same for every process."""
    folder = folder.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if len(os.fspath(folder).encode()) <= _LONGEST_FOLDER:
            return folder
        name = sha256(f"{os.geteuid()} {folder}".encode()).hexdigest()[:16]
        short = Path(tempfile.gettempdir()) / f"mf-{name}"
        short.mkdir(mode=0o700, exist_ok=True)
        found = short.lstat()
    except OSError as e:
        raise EngineDown(f"can't make the run folder {folder}: {e.strerror}") from e
    # Anybody may make a folder there; ours is a real one, ours, and closed to others.
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not ours or found.st_mode & 0o077:
        raise EngineDown(f"{short} belongs to somebody else; remove it")
    return short
