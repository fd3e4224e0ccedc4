"""The command line: one module a subject, loaded when it is called."""

from __future__ import annotations

import importlib
import logging
import os
from pathlib import Path

import click

_COMMANDS: dict[str, str] = {
    "serve": "serve:serve",
    "demo": "serve:demo",
    "child": "serve:child",
    "domain": "accounts:domain",
    "account": "accounts:account",
    "alias": "accounts:alias",
    "token": "accounts:token",
    "import": "imports:import_",
    "check": "check:check",
    "erase": "erase:erase",
    "trace": "events:trace",
    "events": "events:events",
    "projection": "projections:projection",
    "dead": "dead:dead",
    "doctor": "doctor:doctor",
}


class _Lazy(click.Group):
    """Loads a command's module when it is used: one that needs no server starts none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        where = _COMMANDS.get(cmd_name)
        if where is None:
            return None
        module, _, name = where.partition(":")
        found: click.Command = getattr(importlib.import_module(f"mailfold.cli.{module}"), name)
        return found


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", type=click.Path(path_type=Path), help="Data folder (or MAILFOLD_DATA).")
@click.version_option(package_name="mailfold")
def main(data: Path | None) -> None:
    """Mail as an event-sourced stream: receive it, read it, trace it, replay it."""
    logging.basicConfig(
        level=os.environ.get("MAILFOLD_LOG", "WARNING").upper(),
        format="%(asctime)s %(levelname)s [%(process)d] %(name)s: %(message)s",
    )
    if data is not None:
        os.environ["MAILFOLD_DATA"] = str(data)
