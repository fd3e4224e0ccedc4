"""Kafka: one process that is broker and controller, its data formatted from a template."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from infra.engines import lifecycle
from infra.engines.cache import fetched
from infra.engines.engine import EngineError, Launch
from infra.engines.java import Java, java_for
from infra.engines.jvm import FLAGS, Program, archive_flags, ensure_archive
from infra.engines.kafka_probe import answers_metadata
from infra.engines.maven import Artifact, copy_jars
from infra.engines.tcp import free_port

_VERSION = "4.4.0"
_JAVA = 17
_ARTIFACTS = (
    Artifact("org.apache.kafka", "kafka_2.13", _VERSION),
    # Kafka speaks slf4j 1.7, for which this is the binding; log4j-slf4j2-impl would be mute.
    Artifact("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.5"),
)
# Any 16 bytes in base64url: clusters that never meet may share their name.
_CLUSTER_ID = "bWFpbGZvbGQtZW5naW5lcw"
_HEAP = ("-Xms256m", "-Xmx384m")

_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{client}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={data}
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=8388608
log.cleaner.threads=1
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=1
background.threads=2
log.segment.bytes=67108864
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""

_LOGGING = """\
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %c: %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
"""


class KafkaEngine:
    """The engine named `kafka`."""

    name = "kafka"
    port_names = ("client", "controller")
    stop_signal = signal.SIGTERM

    def fetch(self, cache: Path) -> Path:
        """Jars and a formatted, empty data folder; see Engine.fetch."""
        java = java_for(_JAVA, os.environ)
        recipe = hashlib.sha256(f"{_ARTIFACTS}{_CLUSTER_ID}{_SETTINGS}".encode()).hexdigest()
        software = fetched(
            cache, f"kafka-{_VERSION}-{recipe[:8]}", lambda folder: _fill(folder, cache, java)
        )
        ensure_archive(software, java, lambda folder: _training(software, folder))
        return software

    def configure(self, software: Path, home: Path, ports: Mapping[str, int]) -> Launch:
        """Settings for these ports, and data from the template at the first start."""
        java = java_for(_JAVA, os.environ)
        return _program(software, home, ports).launch(java, *archive_flags(software, java))

    def is_ready(self, ports: Mapping[str, int]) -> bool:
        """Whether a metadata request is answered with a broker that takes part."""
        return answers_metadata(ports["client"])


class KafkaBroker:
    """A broker of our own on `data_dir`, for tests: also a context manager.

    With port 0 it takes a free port and keeps it over restarts, so clients find it again.
    """

    def __init__(self, data_dir: Path, port: int = 0) -> None:
        self._folder = data_dir
        self._port = port
        self._engine = KafkaEngine()
        self._address = ""

    @property
    def bootstrap(self) -> str:
        """`host:port` for `bootstrap.servers`; empty before the first start."""
        return self._address

    def start(self) -> Self:
        """Start, or start again on the same data; returns when it answers. Raises EngineError."""
        self._address = lifecycle.start(self._engine, self._folder, self._port).address
        return self

    def stop(self) -> None:
        """Stop in order. Raises EngineError when it does not end."""
        lifecycle.stop(self._engine, self._folder)

    def kill(self) -> None:
        """SIGKILL. Raises EngineError when it does not run."""
        lifecycle.kill(self._engine, self._folder)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _fill(folder: Path, cache: Path, java: Java) -> None:
    copy_jars(_ARTIFACTS, folder / "lib", cache, java)
    (folder / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
    template = folder / "template"
    settings = folder / "format.properties"
    ports = {"client": 9092, "controller": 9093}  # not used by the formatter, and not kept
    settings.write_text(_SETTINGS.format(data=template, **ports), encoding="utf-8")
    arguments = ("format", "-t", _CLUSTER_ID, "-c", str(settings))
    program = Program(("-Xmx128m", *FLAGS), folder / "lib", "kafka.tools.StorageTool", arguments)
    launch = program.launch(java)
    done = subprocess.run(
        launch.argv,
        env=launch.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0 or not (template / "meta.properties").is_file():
        raise EngineError(f"Kafka's formatter failed: {done.stdout[-500:]}")


def _program(software: Path, home: Path, ports: Mapping[str, int]) -> Program:
    home.mkdir(parents=True, exist_ok=True)
    data = home / "data"
    _ensure_formatted(software / "template", data)
    settings = home / "server.properties"
    settings.write_text(_SETTINGS.format(data=data, **ports), encoding="utf-8")
    logging = f"-Dlog4j2.configurationFile={software / 'log4j2.properties'}"
    return Program((*_HEAP, *FLAGS, logging), software / "lib", "kafka.Kafka", (str(settings),))


def _ensure_formatted(template: Path, data: Path) -> None:
    if (data / "meta.properties").is_file():
        return
    if data.is_dir() and any(data.iterdir()):
        raise EngineError(f"{data} holds files and is no data folder of Kafka: use another one")
    part = data.with_name("data.part")
    if part.exists():
        shutil.rmtree(part)
    shutil.copytree(template, part)
    if data.is_dir():
        data.rmdir()
    os.replace(part, data)


def _training(software: Path, folder: Path) -> tuple[Program, Callable[[], bool]]:
    ports = {"client": free_port(), "controller": free_port()}
    return _program(software, folder, ports), lambda: answers_metadata(ports["client"])
