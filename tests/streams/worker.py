"""A process that runs the toy stage on Kafka until SIGTERM: RUNNER SERVERS PREFIX FOLDER.

With STOP_AT naming a point, it stops itself there once, as if the machine had paused it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from infra.kafka.cluster import Connection
from infra.kafka.log import KafkaLog
from infra.registry.file import FileRegistry
from schemas.topics import MAILBOX_COMMANDS
from streams.runners.consumer import ConsumerRunner
from streams.runners.faust import FaustRunner, FaustSettings
from tests.infra.kafka.log_kit import system_clock
from tests.streams.kafka_rig import Bench

SESSION = 6.0


def main(runner: str, servers: str, prefix: str, folder: Path) -> None:
    logging.basicConfig(level="WARNING", format="%(process)d %(name)s %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop_at = os.environ.get("STOP_AT", "")

    def checkpoint(point: str) -> None:
        nonlocal stop_at
        if stop_at and point == f"mailbox.{stop_at}":
            stop_at = ""
            os.kill(os.getpid(), signal.SIGSTOP)
            # The signal is for the process, and may find this thread a little later: not with the
            # lock of the file, which nobody can take from who stands still.
            time.sleep(1.0)

    registry = FileRegistry(folder / "schemas.json")
    log = KafkaLog(Connection(servers), registry, system_clock, prefix)
    bench = Bench(log, folder / "state.db", "mailbox", checkpoint)
    made = (
        FaustRunner(
            bench.host,
            log,
            FaustSettings(folder / f"faust-{os.getpid()}", session_timeout=SESSION),
            checkpoint,
        )
        if runner == "faust"
        else ConsumerRunner(
            bench.host, log.member("mailbox", MAILBOX_COMMANDS, session=SESSION), checkpoint
        )
    )
    made.run(stop.is_set, stop.wait)
    made.close()
    bench.close()
    log.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
