"""The command line: one module a subject, collected here."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import click

from mailfold.cli import accounts, dead, doctor, events, imports, projections, serve
from mailfold.cli.check import check


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", type=click.Path(path_type=Path), help="Data folder (or MAILFOLD_DATA).")
@click.version_option(package_name="mailfold")
def main(data: Path | None) -> None:
    """Mail as an event-sourced stream: receive it, read it, trace it, replay it."""
    logging.basicConfig(
        level=os.environ.get("MAILFOLD_LOG", "WARNING").upper(),
        format="%(asctime)s %(levelname)s %(processName)s[%(process)d] %(name)s: %(message)s",
    )
    if data is not None:
        os.environ["MAILFOLD_DATA"] = str(data)


for _command in (
    serve.serve, serve.demo, serve.child,
    accounts.domain, accounts.account, accounts.alias, accounts.token,
    imports.import_, check, events.trace, events.events,
    projections.projection, dead.dead, doctor.doctor,
):  # fmt: skip
    main.add_command(_command)
