"""The embedded profile: log, content and state of the stages in one SQLite file."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any

from infra.ports import ContentStore, DeadLetters, Lag, TransactionalLog
from infra.sqlite.connection import LOG
from infra.sqlite.content import InLog, SqliteContent
from infra.sqlite.dead import SqliteDeadLetters
from infra.sqlite.file import SqliteFile
from infra.sqlite.lag import SqliteLag
from infra.sqlite.log import SqliteLog
from infra.sqlite.references import SqliteReferences
from infra.sqlite.timers import SqliteTimers
from mailfold.settings import SettingsError
from mailfold.wiring.engines import Base
from schemas.topics import MAIL_RECEIVED, MAILBOX_EVENTS
from streams.lifecycle.sqlite import SqliteLifecycleState
from streams.mailbox.sqlite import SqliteMailboxState
from streams.runners.embedded import EmbeddedRunner
from streams.runners.steps import Steps
from streams.stage import Stage
from streams.topology import INBOUND


class Embedded:
    """The engines of the embedded profile, each opened when it is first asked for."""

    def __init__(self, base: Base) -> None:
        self._base = base

    @cached_property
    def file(self) -> SqliteFile:
        """log.db."""
        made = SqliteFile(self._base.settings.log_path, LOG)
        self._base.closers.append(made.close)
        return made

    @cached_property
    def log(self) -> TransactionalLog:
        """The log."""
        return SqliteLog(self.file, self._base.clock, self._base.wake)

    @cached_property
    def content(self) -> ContentStore:
        """Content."""
        return SqliteContent(InLog(SqliteLog(self.file, self._base.clock, self._base.wake)))

    @cached_property
    def references(self) -> SqliteReferences:
        """Which mail needs which large part."""
        return SqliteReferences(self.file)

    @cached_property
    def dead(self) -> DeadLetters:
        """Dead letters."""
        return SqliteDeadLetters(self.file)

    @cached_property
    def lag(self) -> Lag:
        """How far the inbound stage is behind."""
        made = SqliteLag(self.file, INBOUND.name)
        self._base.closers.append(made.close)
        return made

    @cached_property
    def mailbox_state(self) -> SqliteMailboxState:
        """State of the mailbox stage."""
        return SqliteMailboxState(self.file.connection)

    @cached_property
    def lifecycle_state(self) -> SqliteLifecycleState:
        """State of the lifecycle stage."""
        return SqliteLifecycleState(self.file.connection)

    @cached_property
    def timers(self) -> SqliteTimers:
        """Commands that wait for their time."""
        return SqliteTimers(self.file)

    def stepping(self, stage: Stage[Any]) -> Steps:
        """Return a runner of a stage that is driven step by step. Raises SettingsError."""
        base = self._base
        if base.settings.runner not in ("auto", "embedded"):
            raise SettingsError(
                f"setting runner: {base.settings.runner} needs profile=cluster; leave it out"
            )
        return EmbeddedRunner(
            stage,
            self.log,
            self.dead,
            base.clock,
            base.checkpoint,
            committed=lambda: base.wake.notify(f"stage.{stage.name}"),
        )

    def received(self, mail_ids: Collection[str]) -> frozenset[str]:
        """Return those of `mail_ids` that were received. Raises EngineDown."""
        return self.log.having(MAIL_RECEIVED, mail_ids)

    def prepare(self) -> None:
        """Make the file."""
        self.log.end(MAILBOX_EVENTS)
