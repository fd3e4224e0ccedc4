"""The command `mailfold-engines`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from infra.engines import lifecycle
from infra.engines.engine import Engine, EngineError
from infra.engines.kafka import KafkaEngine
from infra.engines.lifecycle import Status
from infra.locks import LockHeld

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (KafkaEngine(),)}


def _default_folder() -> Path:
    return Path(os.environ.get("MAILFOLD_DATA") or "data", "engines")


_names = click.argument("names", metavar="[ENGINE]...", type=click.Choice(list(ENGINES)), nargs=-1)
_folder = click.option(
    "--data",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=_default_folder,
    show_default="MAILFOLD_DATA/engines",
    help="Where the engines keep data, logs and state.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")


@click.group()
def main() -> None:
    """Start and stop the real engines on this machine, without containers."""


@main.command()
@_names
@_folder
@_as_json
@click.option(
    "--port",
    "ports",
    metavar="ENGINE=PORT",
    multiple=True,
    help="The port for clients; without it the one of last time, or a free one.",
)
def start(names: Sequence[str], folder: Path, as_json: bool, ports: Sequence[str]) -> None:
    """Fetch what is missing, start the engines (all by default), wait until they answer."""
    wanted = _ports(ports)

    def one(engine: Engine) -> Status:
        return lifecycle.start(engine, folder / engine.name, wanted.get(engine.name, 0))

    _each(names, as_json, one)


@main.command()
@_names
@_folder
@_as_json
def stop(names: Sequence[str], folder: Path, as_json: bool) -> None:
    """Stop the engines (all by default); their data stays."""

    def one(engine: Engine) -> Status:
        lifecycle.stop(engine, folder / engine.name)
        return lifecycle.status(engine, folder / engine.name)

    _each(names, as_json, one)


@main.command()
@_names
@_folder
@_as_json
def status(names: Sequence[str], folder: Path, as_json: bool) -> None:
    """Say of each engine (all by default) whether it runs, and where."""
    _each(names, as_json, lambda engine: lifecycle.status(engine, folder / engine.name))


def _ports(texts: Sequence[str]) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name not in ENGINES or not number.isdecimal() or int(number) > 65535:
            raise click.BadParameter(f"{text!r} is not ENGINE=PORT", param_hint="--port")
        wanted[name] = int(number)
    return wanted


def _each(names: Sequence[str], as_json: bool, act: Callable[[Engine], Status]) -> None:
    """Act on all engines at once, show each result, exit 1 when one failed."""
    engines = [ENGINES[name] for name in dict.fromkeys(names or ENGINES)]
    failed = False
    with ThreadPoolExecutor(len(engines)) as pool:
        futures = [pool.submit(act, engine) for engine in engines]
        for future in futures:
            try:
                click.echo(_line(future.result(), as_json))
            except (EngineError, LockHeld, OSError) as error:
                failed = True
                click.echo(f"mailfold-engines: {error}", err=True)
    if failed:
        sys.exit(1)


def _line(status: Status, as_json: bool) -> str:
    if as_json:
        return json.dumps(
            {
                "engine": status.engine,
                "state": status.condition,
                "pid": status.pid,
                "address": status.address,
                "ports": dict(status.ports),
                "folder": str(status.folder),
            }
        )
    words = [status.engine, status.condition]
    if status.condition in ("running", "starting"):
        words += [status.address, f"pid={status.pid}"]
    return " ".join([*words, str(status.folder)])


if __name__ == "__main__":
    main()
