"""One command that runs the house: its processes, each restarted when it dies.

Listening sockets are opened here and inherited, so a port stays the same when a child is
restarted and connections wait in the backlog meanwhile. Every child holds the read end of a pipe
whose write end only the supervisor has: when the supervisor dies, however it dies, the children
see the end of the pipe and stop by themselves.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

logger = logging.getLogger(__name__)

READY_TIMEOUT = 60.0
"""Seconds for which none of the children may say anything before all have said that they serve."""
STOP_TIMEOUT = 15.0
_BACKOFF_FIRST = 0.1
_BACKOFF_MOST = 5.0
_HEALTHY_AFTER = 10.0
_POLL = 0.02

_BUSY, _READY = b".", b"!"

FDS_VARIABLE = "MAILFOLD_FDS"


class SupervisorError(Exception):
    """The house can't be started; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Role:
    """One process: its name, its parts, and the listening sockets that it inherits by name."""

    name: str
    parts: tuple[str, ...]
    sockets: tuple[str, ...] = ()


@dataclass(slots=True)
class _Child:
    role: Role
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    backoff: float = _BACKOFF_FIRST
    restart_at: float = 0.0
    ready_fd: int = -1
    ready: bool = False


def listen(host: str, port: int, patience: float = 0.0) -> socket.socket:
    """Return a listening socket.

    Raises SupervisorError when the address can't be had, or is in use and still in use after
    `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return _listening(host, port)
        except OSError as e:
            if e.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise SupervisorError(
                    f"can't listen on {host}:{port}: {e.strerror}; choose another"
                ) from e
        time.sleep(_POLL)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, port))
        s.listen(1024)
    except OSError:
        s.close()
        raise
    s.set_inheritable(True)
    return s


def was_killed(path: Path) -> bool:
    """Say whether who had the lock file `path` last did not come to `unlock` it."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def lock(path: Path, patience: float = 0.0) -> int:
    """Take the lock file `path` for this process and return its descriptor.

    Raises SupervisorError when another process has it, and still has it after `patience` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience
    while not _taken(fd):
        if time.monotonic() >= deadline:
            holder = os.read(fd, 20).decode(errors="replace").strip()
            os.close(fd)
            raise SupervisorError(
                f"mailfold already serves this data folder (process {holder}); stop it first"
            )
        time.sleep(_POLL)
    os.ftruncate(fd, 0)
    os.write(fd, str(os.getpid()).encode())
    return fd


def unlock(fd: int) -> None:
    """Let a lock file go, in order."""
    os.ftruncate(fd, 0)
    os.close(fd)


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass(slots=True)
class Supervisor:
    """Runs `roles` until SIGTERM or SIGINT; `command` starts a child,
    its name and its parts appended."""

    roles: Sequence[Role]
    sockets: Mapping[str, socket.socket]
    command: Sequence[str]
    environment: Mapping[str, str]
    announce: str
    _stopping: bool = False
    _heard: float = 0.0
    _children: list[_Child] = field(default_factory=list[_Child])

    def run(self) -> int:
        """Run until stopped; return the exit status."""
        wake_r, wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        alive_r, alive_w = os.pipe2(os.O_CLOEXEC)
        previous = signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        handlers = {
            s: signal.signal(s, self._on_signal)
            for s in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
        }
        try:
            return self._loop(wake_r, alive_r)
        finally:
            self._stop_all()
            signal.set_wakeup_fd(previous)
            for s, h in handlers.items():
                signal.signal(s, h)
            for fd in (wake_r, wake_w, alive_r, alive_w):
                os.close(fd)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._stopping = True

    def _loop(self, wake_r: int, alive_r: int) -> int:
        self._children = [_Child(r) for r in self.roles]
        selector = selectors.DefaultSelector()
        selector.register(wake_r, selectors.EVENT_READ)
        self._heard = time.monotonic()
        announced = False
        while not self._stopping:
            now = time.monotonic()
            for child in self._children:
                self._reap(child, selector, now)
                if child.process is None and now >= child.restart_at:
                    self._start(child, selector, alive_r, now)
            if not announced and all(c.ready for c in self._children):
                announced = True
                print(self.announce, flush=True)  # noqa: T201 (the promise of `serve`)
            if not announced and now - self._heard > READY_TIMEOUT:
                missing = ", ".join(c.role.name for c in self._children if not c.ready)
                logger.error("not ready after %.0f s: %s", READY_TIMEOUT, missing)
                return 1
            for key, _ in selector.select(self._timeout(now)):
                if key.fd == wake_r:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake_r, 512)
                else:
                    self._hear(key.data, selector)
        return 0

    def _timeout(self, now: float) -> float:
        waits = [c.restart_at - now for c in self._children if c.process is None]
        return max(0.0, min([1.0, *waits]))

    def _start(
        self, child: _Child, selector: selectors.BaseSelector, alive_r: int, now: float
    ) -> None:
        ready_r, ready_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        fds = {"alive": alive_r, "ready": ready_w}
        fds |= {n: self.sockets[n].fileno() for n in child.role.sockets}
        child.process = subprocess.Popen(
            [*self.command, child.role.name, *child.role.parts],
            pass_fds=tuple(fds.values()),
            env={**self.environment, FDS_VARIABLE: ",".join(f"{n}={f}" for n, f in fds.items())},
            stdin=subprocess.DEVNULL,
            # Terminal signals are for the supervisor alone, which stops its children in order.
            start_new_session=True,
        )
        os.close(ready_w)
        child.started, child.ready, child.ready_fd = now, False, ready_r
        selector.register(ready_r, selectors.EVENT_READ, child)

    def _hear(self, child: _Child, selector: selectors.BaseSelector) -> None:
        try:
            said = os.read(child.ready_fd, 512)
        except BlockingIOError:
            return
        self._heard = time.monotonic()
        child.ready = child.ready or _READY in said
        if child.ready or not said:
            self._forget_pipe(child, selector)

    def _forget_pipe(self, child: _Child, selector: selectors.BaseSelector) -> None:
        if child.ready_fd >= 0:
            selector.unregister(child.ready_fd)
            os.close(child.ready_fd)
            child.ready_fd = -1

    def _reap(self, child: _Child, selector: selectors.BaseSelector, now: float) -> None:
        if child.process is None or child.process.poll() is None:
            return
        status = child.process.returncode
        self._forget_pipe(child, selector)
        child.process = None
        if now - child.started > _HEALTHY_AFTER:
            child.backoff = _BACKOFF_FIRST
        child.restart_at = now + child.backoff
        child.backoff = min(child.backoff * 2, _BACKOFF_MOST)
        logger.warning("%s ended with status %s; starting it again", child.role.name, status)

    def _stop_all(self) -> None:
        running = [c.process for c in self._children if c.process is not None]
        for p in running:
            with contextlib.suppress(ProcessLookupError):
                p.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT
        for p in running:
            try:
                p.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("process %d did not stop in time; killed", p.pid)
                p.kill()
                p.wait()


@dataclass(slots=True)
class Inherited:
    """What a child was given by its supervisor."""

    fds: dict[str, int]
    _stop: bool = False

    @staticmethod
    def from_environment() -> Inherited:
        """Read the descriptors; a process that was started by hand has none."""
        text = os.environ.get(FDS_VARIABLE, "")
        pairs = (p.partition("=") for p in text.split(",") if p)
        return Inherited({name: int(fd) for name, _, fd in pairs})

    def socket(self, name: str) -> socket.socket:
        """Return an inherited listening socket. Raises SupervisorError when there is none."""
        if name not in self.fds:
            raise SupervisorError(f"no socket {name!r} was inherited; start it by `mailfold serve`")
        return socket.socket(fileno=self.fds[name])

    def busy(self) -> None:
        """Tell the supervisor that this child will serve later, and is at it."""
        fd = self.fds.get("ready")
        if fd is not None:
            # A pipe that is full says so already.
            with contextlib.suppress(BrokenPipeError, BlockingIOError):
                os.write(fd, _BUSY)

    def ready(self) -> None:
        """Tell the supervisor that this child serves."""
        fd = self.fds.pop("ready", None)
        if fd is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(fd, _READY)
            os.close(fd)

    def alive_fd(self) -> int | None:
        """Return a descriptor that is readable once the supervisor is dead."""
        return self.fds.get("alive")


def command() -> list[str]:
    """Return the command line that starts a child of this installation."""
    return [sys.executable, "-m", "mailfold", "child"]
