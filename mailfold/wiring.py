"""The only place that picks an adapter: settings in, the ports of a running house out.

Everything is built when it is first asked for, so a command opens only what it needs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

from infra.dns.resolver import DnsResolver
from streams.mailbox.sqlite import SqliteMailboxState
from streams.mailbox.stage import MailboxStage

from infra.barrier import from_environment
from infra.directory.sql import SqlDirectory
from infra.intake import GroupIntake
from infra.limits.memory import MemoryLimits
from infra.limits.none import NoLimits
from infra.parts.files import FileParts
from infra.ports import (
    Checkpoint,
    ContentStore,
    DeadLetters,
    EventLog,
    Lag,
    Limits,
    TransactionalLog,
)
from infra.sqlite.connection import LOG
from infra.sqlite.content import InLog, SqliteContent
from infra.sqlite.dead import SqliteDeadLetters
from infra.sqlite.file import SqliteFile
from infra.sqlite.keys import SqliteKeys
from infra.sqlite.lag import SqliteLag
from infra.sqlite.log import SqliteLog
from infra.sqlite.references import SqliteReferences
from infra.sqlite.wake import SocketWake
from mail.authentication.evaluate import AuthSettings
from mail.authentication.resolution import ResolutionLimits, Resolve
from mailfold.judge import BatchJudge
from mailfold.settings import Settings
from schemas.fingerprint import Fingerprint
from streams.inbound.stage import InboundStage
from streams.runners.embedded import EmbeddedRunner
from streams.stage import Stage
from streams.topology import INBOUND, MAILBOX


class Runner(Protocol):
    """Runs one stage."""

    def run(self, stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Run until `stopping()`."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


class House:
    """One process's view of the installation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._closers: list[Callable[[], None]] = []

    def close(self) -> None:
        """Close what was opened, last first."""
        while self._closers:
            self._closers.pop()()

    def clock(self) -> int:
        """Return now in microseconds."""
        return time.time_ns() // 1000

    random = staticmethod(os.urandom)

    # -- engines

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """Where tests stop a process from outside."""
        return from_environment()

    @cached_property
    def wake(self) -> SocketWake:
        """Wakes processes of this installation."""
        made = SocketWake(self.settings.run_path)
        self._closers.append(made.close)
        return made

    @cached_property
    def file(self) -> SqliteFile:
        """log.db."""
        made = SqliteFile(self.settings.log_path, LOG)
        self._closers.append(made.close)
        return made

    @cached_property
    def transactional_log(self) -> TransactionalLog:
        """The embedded log."""
        return SqliteLog(self.file, self.clock, self.wake)

    @cached_property
    def log(self) -> EventLog:
        """The log."""
        return self.transactional_log

    @cached_property
    def keys(self) -> SqliteKeys:
        """Keys."""
        made = SqliteKeys(self.settings.keys_path, self.random)
        self._closers.append(made.close)
        return made

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Fingerprints under the installation's secret."""
        return Fingerprint(self.keys.secret())

    @cached_property
    def content(self) -> ContentStore:
        """Content."""
        return SqliteContent(InLog(SqliteLog(self.file, self.clock, self.wake)))

    @cached_property
    def parts(self) -> FileParts:
        """Large parts."""
        return FileParts(self.settings.parts_path, SqliteReferences(self.file))

    @cached_property
    def dead(self) -> DeadLetters:
        """Dead letters."""
        return SqliteDeadLetters(self.file)

    @cached_property
    def lag(self) -> Lag:
        """How far the inbound stage is behind."""
        made = SqliteLag(self.file, INBOUND.name)
        self._closers.append(made.close)
        return made

    @cached_property
    def intake(self) -> GroupIntake:
        """The way in for mail."""
        made = GroupIntake(self.parts, self.keys, self.log)
        self._closers.append(made.close)
        return made

    @cached_property
    def directory(self) -> SqlDirectory:
        """Accounts, domains, aliases, tokens."""
        made = SqlDirectory(f"sqlite:///{self.settings.accounts_path}", self.clock)
        self._closers.append(made.close)
        return made

    @cached_property
    def limits(self) -> Limits:
        """Rate limits."""
        s = self.settings
        if s.limits == "off":
            return NoLimits()
        return MemoryLimits(
            {
                "connections": s.limit_connections_per_client,
                "messages": s.limit_messages_per_client,
                "requests": s.limit_requests,
                "searches": s.limit_searches,
                "logins": s.limit_logins,
            }
        )

    # -- stages

    @cached_property
    def mailbox_state(self) -> SqliteMailboxState:
        """State of the mailbox stage."""
        return SqliteMailboxState(self.file.connection)

    def inbound(self) -> InboundStage:
        """Return the inbound stage."""
        s = self.settings
        judge = BatchJudge(
            DnsResolver(s.dns, timeout=s.dns_timeout).resolve,
            AuthSettings(),
            ResolutionLimits(seconds=s.dns_timeout),
        )
        self._closers.append(judge.close)
        return InboundStage(
            self.keys,
            self.content,
            self.parts,
            self.fingerprint,
            judge,
            s.hostname,
            self.random,
        )

    def mailbox(self) -> MailboxStage:
        """Return the mailbox stage."""
        return MailboxStage(
            state=self.mailbox_state,
            content=self.content,
            keys=self.keys,
            fingerprint=self.fingerprint,
            clock=self.clock,
            random=self.random,
            hostname=self.settings.hostname,
        )

    def stage(self, name: str) -> Stage[Any]:
        """Return the stage called `name` in the topology. Raises KeyError."""
        made: dict[str, Callable[[], Stage[Any]]] = {
            INBOUND.name: self.inbound,
            MAILBOX.name: self.mailbox,
        }
        return made[name]()

    def runner(self, name: str) -> Runner:
        """Return a runner of a stage."""
        return EmbeddedRunner(
            self.stage(name), self.transactional_log, self.dead, self.clock, self.checkpoint
        )


def dns_resolver(settings: Settings) -> Resolve:
    """Return what answers DNS questions. Raises ValueError for a list of servers it can't read."""
    return DnsResolver(settings.dns, timeout=settings.dns_timeout).resolve
