"""The only place that picks an adapter: settings in, the ports of a running house out.

Everything is built when it is first asked for, and what is large to load is imported there, so a
command opens only what it needs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.barrier import from_environment
from infra.parts.files import FileParts
from infra.parts.garbage import FileGarbage
from infra.ports import (
    Checkpoint,
    ContentStore,
    DeadLetters,
    EngineDown,
    EventLog,
    Lag,
    Limits,
    Outcomes,
    Room,
)
from infra.sqlite.keys import SqliteKeys
from infra.sqlite.wake import SocketWake
from mailfold.folders import make_folder
from mailfold.room import MailboxRoom
from mailfold.settings import Settings, SettingsError, load
from mailfold.wiring.engines import Base, Runner
from mailfold.wiring.views import VIEWS, Sources
from projections.consumer import Consumer
from projections.contacts.ports import ContactReader
from projections.contacts.sqlite_reader import SqliteContactReader
from projections.mailbox.ports import MailboxReader
from projections.mailbox.sqlite_reader import SqliteMailboxReader
from projections.search.letters import Letters
from projections.search.ports import SearchReader
from projections.search.sqlite_reader import SqliteSearchReader
from projections.threads.ports import ThreadReader
from projections.threads.sqlite import SqliteThreadReader
from projections.versions import NeedsRebuild, Versions
from schemas.fingerprint import Fingerprint
from schemas.topics import MAIL_RECEIVED
from streams.runners.steps import Steps
from streams.stage import Stage
from streams.topology import (
    INBOUND,
    LIFECYCLE,
    MAILBOX,
    PROJECTIONS,
    RELEASE,
    SEARCH,
    ProjectionNode,
)

if TYPE_CHECKING:
    from fastapi import FastAPI

    from infra.directory.domain_keys import SqlDomainKeys
    from infra.directory.sql import SqlDirectory
    from infra.dns.resolver import DnsResolver
    from infra.intake import GroupIntake
    from ingress.smtp.server import Server
    from mail.authentication.resolution import ResolutionLimits, Resolve
    from mailfold.domain_keys import Keyring
    from mailfold.policy import CurrentPolicy
    from mailfold.wiring.cluster import Cluster
    from mailfold.wiring.embedded import Embedded
    from mailfold.wiring.outbound import Outbound
    from streams.inbound.stage import InboundStage
    from streams.lifecycle.release import ReleaseStage
    from streams.lifecycle.stage import LifecycleStage
    from streams.mailbox.stage import MailboxStage


class Incomplete(Exception):
    """Files of the installation are missing; the text says which and what to do."""


class House:
    """One process's view of the installation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._closers: list[Callable[[], None]] = []

    @cached_property
    def engines(self) -> Embedded | Cluster:
        """What the profile picks."""
        base = Base(self.settings, self.clock, self.wake, self.checkpoint, self._closers)
        if self.settings.profile == "cluster":
            from mailfold.wiring.cluster import Cluster

            return Cluster(base)
        from mailfold.wiring.embedded import Embedded

        return Embedded(base)

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

    @property
    def log(self) -> EventLog:
        """The log."""
        return self.engines.log

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

    @property
    def content(self) -> ContentStore:
        """Content."""
        return self.engines.content

    @cached_property
    def parts(self) -> FileParts:
        """Large parts."""
        return FileParts(self.settings.parts_path, self.engines.references)

    @cached_property
    def garbage(self) -> FileGarbage:
        """Large parts that no mail needs."""
        return FileGarbage(
            self.parts, self.engines.references, self.settings.parts_grace, self.checkpoint
        )

    @property
    def dead(self) -> DeadLetters:
        """Dead letters."""
        return self.engines.dead

    @property
    def lag(self) -> Lag:
        """How far the inbound stage is behind."""
        return self.engines.lag

    @cached_property
    def intake(self) -> GroupIntake:
        """The way in for mail."""
        from infra.intake import GroupIntake

        made = GroupIntake(self.parts, self.keys, self.log, self.checkpoint)
        self._closers.append(made.close)
        return made

    @cached_property
    def directory(self) -> SqlDirectory:
        """Accounts, domains, aliases, tokens."""
        from infra.directory.sql import SqlDirectory

        made = SqlDirectory(f"sqlite:///{self.settings.accounts_path}", self.clock)
        self._closers.append(made.close)
        return made

    @cached_property
    def domain_keys(self) -> SqlDomainKeys:
        """Signing keys of our domains."""
        from infra.directory.domain_keys import SqlDomainKeys

        made = SqlDomainKeys(f"sqlite:///{self.settings.accounts_path}", self.clock)
        self._closers.append(made.close)
        return made

    @property
    def keyring(self) -> Keyring:
        """The same keys, opened and rotated."""
        from mailfold.domain_keys import Keyring

        return Keyring(self.domain_keys, self.keys, self.clock, self.random)

    @cached_property
    def limits(self) -> Limits:
        """Rate limits."""
        from infra.limits.memory import MemoryLimits
        from infra.limits.none import NoLimits

        s = self.settings
        if s.limits == "off":
            return NoLimits()
        return MemoryLimits(
            {
                "mx-connections": s.limit_connections_per_client,
                "mx-messages": s.limit_messages_per_client,
                "requests": s.limit_requests,
                "searches": s.limit_searches,
                "logins": s.limit_logins,
            }
        )

    # -- the way out

    @cached_property
    def outbound(self) -> Outbound:
        """The queue, and what sends its mail."""
        from mailfold.wiring.outbound import Outbound

        return Outbound(self, self._closers)

    # -- stages

    @cached_property
    def policy(self) -> CurrentPolicy:
        """What the administrator decided about authentication. Raises SettingsError."""
        from mailfold.policy import CurrentPolicy

        return CurrentPolicy(self.settings, self.directory.hosted)

    def inbound(self) -> InboundStage:
        """Return the inbound stage."""
        from mailfold.judge import BatchJudge
        from streams.inbound.stage import InboundStage

        resolver, limits = self.resolver()
        judge = BatchJudge(resolver.resolve, resolver.at_hand, self.policy, limits)
        self._closers.append(judge.close)
        return InboundStage(
            self.keys,
            self.content,
            self.parts,
            self.fingerprint,
            judge,
            self.settings.hostname,
            self.random,
        )

    def mailbox(self) -> MailboxStage:
        """Return the mailbox stage."""
        from streams.mailbox.stage import MailboxStage

        return MailboxStage(
            state=self.engines.mailbox_state,
            content=self.content,
            parts=self.parts,
            keys=self.keys,
            fingerprint=self.fingerprint,
            clock=self.clock,
            random=self.random,
        )

    def lifecycle(self) -> LifecycleStage:
        """Return the lifecycle stage."""
        from streams.lifecycle.periods import DAY, Periods
        from streams.lifecycle.stage import LifecycleStage

        s = self.settings
        periods = Periods(
            trash=int(s.trash_days * DAY),
            spam=int(s.spam_days * DAY),
            undelete=int(s.undelete_days * DAY),
        )
        return LifecycleStage(
            state=self.engines.lifecycle_state,
            timers=self.engines.timers,
            keys=self.keys,
            content=self.content,
            garbage=self.garbage,
            clock=self.clock,
            periods=periods,
        )

    def release(self) -> ReleaseStage:
        """Return the release stage."""
        from streams.lifecycle.ending import Ending
        from streams.lifecycle.release import ReleaseStage

        ending = Ending(self.keys, self.content, self.garbage, self.clock)
        return ReleaseStage(self.engines.lifecycle_state, ending)

    def stage(self, name: str) -> Stage[Any]:
        """Return the stage called `name` in the topology. Raises KeyError."""
        made: dict[str, Callable[[], Stage[Any]]] = {
            INBOUND.name: self.inbound,
            MAILBOX.name: self.mailbox,
            LIFECYCLE.name: self.lifecycle,
            RELEASE.name: self.release,
        }
        return made[name]()

    def runner(self, name: str) -> Runner:
        """Return what hosts a stage on Kafka by itself. Raises KeyError, SettingsError."""
        from mailfold.wiring.cluster import Cluster

        assert isinstance(self.engines, Cluster), "on the embedded log each stage is stepped"
        return self.engines.runner(self.stage(name))

    def stepping(self, name: str) -> Steps:
        """Return a runner of a stage that is driven step by step. Raises KeyError, SettingsError.

        With the lifecycle stage go the release stage, timers and garbage.
        """
        inner = self.engines.stepping(self.stage(name))
        if name != LIFECYCLE.name:
            return inner
        from streams.runners.timed import TimedRunner
        from streams.runners.together import TogetherRunner

        both = TogetherRunner(inner, [self.engines.stepping(self.stage(RELEASE.name))])
        return TimedRunner(
            both, self.log, self.engines.timers, self.garbage, self.clock, self.checkpoint
        )

    # -- projections

    @cached_property
    def versions(self) -> Mapping[str, Versions]:
        """Versions of each projection, by name."""
        made = {node.name: self._versions(node) for node in PROJECTIONS}
        self._closers.extend(v.close for v in made.values())
        return made

    def _versions(self, node: ProjectionNode) -> Versions:
        view = VIEWS[node.name]
        return Versions(
            self.settings.views_path / f"{node.name}.db",
            node.name,
            node.source,
            view.format,
            lambda path: view.make(path, Sources(self.keys, lambda: self.letters, self.checkpoint)),
            self.clock,
        )

    @cached_property
    def reader(self) -> MailboxReader:
        """Reads mailboxes."""
        made = SqliteMailboxReader(lambda: self._live_file("mailbox"))
        self._closers.append(made.close)
        return made

    @cached_property
    def threads(self) -> ThreadReader:
        """Reads conversations."""
        made = SqliteThreadReader(lambda: self._live_file("mailbox"))
        self._closers.append(made.close)
        return made

    @cached_property
    def contacts(self) -> ContactReader:
        """Finds contacts."""
        made = SqliteContactReader(lambda: self._live_file("contacts"))
        self._closers.append(made.close)
        return made

    @cached_property
    def letters(self) -> Letters:
        """Opens the mails that are searched."""
        return Letters(self.content, self.keys, self.parts, self.fingerprint)

    @cached_property
    def search(self) -> SearchReader:
        """Searches mailboxes."""
        live = partial(self._live_file, SEARCH.name)
        made = SqliteSearchReader(live, self.letters, self.clock)
        self._closers.append(made.close)
        return made

    def _live_file(self, name: str) -> Path:
        try:
            return self.versions[name].live_file()
        except NeedsRebuild as e:
            # To a reader an engine that is down: it is there again when it is built.
            raise EngineDown(f"{e}; `mailfold serve` builds it anew") from e

    def projection_consumer(self, name: str) -> Consumer:
        """Return the consumer of a projection. Raises KeyError."""
        return Consumer(
            self.log,
            self.versions[name],
            self.wake,
            checkpoint=self.checkpoint,
            between_scrubs=VIEWS[name].between_scrubs,
        )

    # -- doors and readers

    @property
    def outcomes(self) -> Outcomes:
        """Outcomes of commands."""
        return self.engines.mailbox_state

    def mx(self) -> Server:
        """Return the MX."""
        from mailfold.wiring.doors import mx

        return mx(self)

    def lmtp(self) -> Server:
        """Return the LMTP server."""
        from mailfold.wiring.doors import lmtp

        return lmtp(self)

    def resolver(self) -> tuple[DnsResolver, ResolutionLimits]:
        """Return a resolver, and what one mail may cost in DNS. Raises SettingsError."""
        from infra.dns.resolver import DnsResolver
        from mail.authentication.resolution import ResolutionLimits

        s = self.settings
        try:
            resolver = DnsResolver(s.dns, timeout=s.dns_timeout)
        except ValueError as e:
            raise SettingsError(f"setting dns: {e}") from e
        return resolver, ResolutionLimits(seconds=s.dns_timeout)

    def room(self) -> Room:
        """Return how much room the mailboxes have."""
        # Not the reader of the house, for mail goes on while a view is built anew.
        reader = SqliteMailboxReader(self.versions["mailbox"].live_file)
        self._closers.append(reader.close)
        return MailboxRoom(self.directory, reader)

    def api(self) -> FastAPI:
        """Return the REST application."""
        from mailfold.wiring.rest import rest

        return rest(self)

    def prepare(self) -> None:
        """Make the folders and files of the installation that are not there.

        Raises Incomplete, EngineDown.
        """
        s = self.settings
        for folder in (s.data, s.views_path, s.parts_path, s.run_path):
            make_folder(folder)
        self.engines.prepare()
        # Keys are durable before the mail that they open, so that mail without keys has lost them;
        # with new ones nobody could read it, and a restore would come too late for what is new.
        if not s.keys_path.exists() and any(self.log.end(MAIL_RECEIVED).values()):
            raise Incomplete(
                f"{s.keys_path} is missing, without which no mail can be read: put it back from a"
                " backup before you start mailfold"
            )
        self.keys.secret()
        self.directory.domains()


@contextmanager
def open_house(settings: Settings | None = None) -> Generator[House]:
    """Yield the ports of the installation that the settings name; close them at the end."""
    house = House(settings or load())
    make_folder(house.settings.data)
    try:
        yield house
    finally:
        house.close()


def dns_resolver(settings: Settings) -> Resolve:
    """Return what answers DNS questions. Raises ValueError for a list of servers it can't read."""
    from infra.dns.resolver import DnsResolver

    return DnsResolver(settings.dns, timeout=settings.dns_timeout).resolve
