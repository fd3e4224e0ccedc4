"""The runner that lets Faust assign partitions, batch and commit. It decides nothing else."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import faust

from infra.ports import Checkpoint, EngineDown
from streams.runners.faust_agent import BATCH, StageAgent
from streams.runners.faust_transport import install
from streams.runners.partition_host import PartitionHost, unwatched
from streams.runners.ports import FaustLog
from streams.runners.turn import tell

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1
_EX_SOFTWARE = 70


@dataclass(frozen=True, slots=True)
class FaustSettings:
    """How an App is made. Durations are seconds."""

    folder: Path
    """Where Faust keeps files, if it ever wants to."""
    instance: str = ""
    """Names a static member (KIP-345), so that a restart moves no partitions."""
    commit_interval: float = 1.0
    session_timeout: float = 10.0
    heartbeat_interval: float = 3.0
    rebalance_timeout: float = 30.0


def end_process(error: BaseException) -> None:
    """End the process at once: what is not acked is read again by whoever takes over."""
    tell("process", error)
    logger.critical("%s; the process ends", type(error).__name__)
    os._exit(_EX_SOFTWARE)


class FaustRunner:
    """Runs one stage as one App, which is one consumer group."""

    def __init__(
        self,
        host: PartitionHost,
        log: FaustLog,
        settings: FaustSettings,
        checkpoint: Checkpoint = unwatched,
        committed: Callable[[], None] = lambda: None,
        die: Callable[[BaseException], None] = end_process,
    ) -> None:
        """`committed` is called after each batch; `die` ends the process."""
        self._host = host
        self._log = log
        self._settings = settings
        self._checkpoint = checkpoint
        self._committed = committed
        self._die = die

    def run(self, stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Run until `stopping()`; waits for the broker first, `pause(seconds)` between tries.

        Raises RuntimeError when Faust gave up.
        """
        while not stopping():
            try:
                # Without a broker Faust would not wait but end.
                self._log.end(self._host.stage.source)
            except EngineDown:
                pause(1.0)
            else:
                asyncio.run(self._serve(stopping))
                return

    def close(self) -> None:
        """Give the partitions back."""
        self._host.release()

    def _app(self) -> faust.App:
        s = self._settings
        s.folder.mkdir(parents=True, exist_ok=True)
        more = {"consumer_group_instance_id": s.instance} if s.instance else {}
        return faust.App(
            self._log.physical(self._host.group),
            broker=";".join(f"kafka://{server}" for server in self._log.servers),
            # It would listen on all addresses, and several Apps on one port.
            web_enabled=False,
            datadir=str(s.folder),
            topic_allow_declare=False,
            topic_disable_leader=True,
            broker_session_timeout=s.session_timeout,
            broker_heartbeat_interval=s.heartbeat_interval,
            broker_rebalance_timeout=s.rebalance_timeout,
            broker_commit_interval=s.commit_interval,
            broker_max_poll_records=BATCH,
            consumer_auto_offset_reset="earliest",
            stream_buffer_maxsize=4096,
            # With it, a stop would wait for ever for what is not acked.
            stream_wait_empty=False,
            processing_guarantee="at_least_once",
            **more,
        )

    async def _serve(self, stopping: Callable[[], bool]) -> None:
        app = self._app()
        agent = StageAgent(app, self._host, self._log, self._checkpoint, self._committed, self._die)
        source = app.topic(
            self._log.physical(self._host.stage.source),
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )
        app.agent(source, name=self._log.physical(self._host.group))(agent.consume)
        app.on_partitions_assigned.connect(agent.on_assigned)
        app.finalize()
        install(app)
        await app.start()
        retrying = asyncio.create_task(agent.retry())
        try:
            while not (stopping() or app.should_stop):
                await asyncio.sleep(_LOOK_SECONDS)
            if not stopping():
                raise RuntimeError("Faust has stopped")
        finally:
            retrying.cancel()
            await app.stop()
            agent.close()
