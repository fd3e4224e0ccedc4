"""The cluster profile: Kafka as the log; content and state of the stages in a file beside it."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from infra.kafka.cluster import Connection
from infra.kafka.dead import PublishedDeadLetters
from infra.kafka.lag import KafkaLag
from infra.kafka.log import KafkaLog
from infra.ports import ContentStore, DeadLetters, Lag
from infra.registry.file import FileRegistry
from infra.sqlite.connection import LOG
from infra.sqlite.content import InRow, SqliteContent
from infra.sqlite.dead import SqliteDeadLetters
from infra.sqlite.file import SqliteFile
from infra.sqlite.progress import SqliteProgress
from infra.sqlite.references import SqliteReferences
from infra.sqlite.timers import SqliteTimers
from mailfold.settings import SettingsError
from mailfold.supervisor import SupervisorError, lock
from mailfold.wiring.engines import Base, Runner
from schemas.identity import derived
from schemas.topics import MAIL_RECEIVED
from streams.lifecycle.sqlite import SqliteLifecycleState
from streams.mailbox.sqlite import SqliteMailboxState
from streams.runners.partition_host import PartitionHost
from streams.stage import Stage
from streams.topology import INBOUND

if TYPE_CHECKING:
    from streams.runners.consumer import ConsumerRunner

_WORKERS = 256


class Cluster:
    """The engines of the cluster profile, each opened when it is first asked for."""

    def __init__(self, base: Base) -> None:
        self._base = base

    @cached_property
    def file(self) -> SqliteFile:
        """state.db."""
        made = SqliteFile(self._base.settings.state_path, LOG)
        self._base.closers.append(made.close)
        return made

    @cached_property
    def log(self) -> KafkaLog:
        """The log. Raises SettingsError."""
        s = self._base.settings
        if s.schema_registry:
            raise SettingsError(
                "setting schema_registry: schemas are kept in a file beside the data; leave it out"
            )
        made = KafkaLog(
            Connection(s.kafka),
            FileRegistry(s.data / "schemas.json"),
            self._base.clock,
            s.topic_prefix,
        )
        self._base.closers.append(made.close)
        return made

    @cached_property
    def content(self) -> ContentStore:
        """Content."""
        return SqliteContent(InRow(self.file))

    @cached_property
    def references(self) -> SqliteReferences:
        """Which mail needs which large part."""
        return SqliteReferences(self.file)

    @cached_property
    def dead(self) -> DeadLetters:
        """Dead letters."""
        return PublishedDeadLetters(SqliteDeadLetters(self.file), self.log)

    @cached_property
    def lag(self) -> Lag:
        """How far the inbound stage is behind."""
        return KafkaLag(self.log, INBOUND.name, MAIL_RECEIVED)

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

    def stepping(self, stage: Stage[Any]) -> ConsumerRunner:
        """Return a runner of a stage that is driven step by step. Raises SettingsError."""
        from streams.runners.consumer import ConsumerRunner

        base = self._base
        instance = self._instance(stage.name)
        member = self.log.member(stage.name, stage.source, instance)
        return ConsumerRunner(
            self._host(stage), member, base.checkpoint, lambda: base.wake.notify(_channel(stage))
        )

    def runner(self, stage: Stage[Any]) -> Runner:
        """Return a runner of a stage. Raises SettingsError."""
        base = self._base
        s = base.settings
        if s.runner == "embedded":
            raise SettingsError("setting runner: embedded needs profile=embedded; leave it out")
        if s.runner == "consumer":
            return self.stepping(stage)
        from streams.runners.faust import FaustRunner, FaustSettings

        instance = self._instance(stage.name)
        settings = FaustSettings(s.run_path / "faust" / instance, instance)
        return FaustRunner(
            self._host(stage),
            self.log,
            settings,
            base.checkpoint,
            lambda: base.wake.notify(_channel(stage)),
        )

    def _host(self, stage: Stage[Any]) -> PartitionHost:
        base = self._base
        return PartitionHost(
            stage,
            self.log,
            SqliteProgress(self.file, base.settings.topic_prefix),
            self.dead,
            base.clock,
            base.checkpoint,
        )

    def _instance(self, stage: str) -> str:
        """Return the name of this process in its group: who is restarted has it again."""
        s = self._base.settings
        for n in range(_WORKERS):
            try:
                fd = lock(s.run_path / f"{stage}-{n}.lock")
            except SupervisorError:
                continue
            self._base.closers.append(partial(os.close, fd))
            return derived("worker", s.hostname, str(s.data), stage, str(n))
        raise SettingsError(f"{_WORKERS} workers of {stage} run in this data folder")

    def received(self, mail_ids: Collection[str]) -> frozenset[str]:
        """Return those of `mail_ids` that were received. Raises EngineDown."""
        # Kafka has no index by key; the inbound stage has seen all but the very last.
        return self.content.having(mail_ids)

    def prepare(self) -> None:
        """Make the file, and the topics."""
        _ = self.content, self.references, self.dead, self.mailbox_state
        _ = self.lifecycle_state, self.timers
        self.log.ensure_topics(self._base.settings.partitions)


def _channel(stage: Stage[Any]) -> str:
    return f"stage.{stage.name}"
