"""doctor: what is wrong with this installation, and what to do."""

from __future__ import annotations

import sys

import click

from mailfold.cli.output import json_option, listing
from mailfold.findings import findings
from mailfold.settings import load, sources


@click.command()
@click.option("--settings", "show_settings", is_flag=True, help="Show each setting's source.")
@click.option("--deep", is_flag=True, help="Also read every page of every file.")
@json_option
def doctor(show_settings: bool, deep: bool, as_json: bool) -> None:
    """Say what is wrong with this installation; exit 1 when something is."""
    settings = load()
    if show_settings:
        rows = [
            {"setting": name, "value": str(value), "source": source}
            for name, value, source in sources(settings)
        ]
        listing(rows, ("setting", "value", "source"), as_json)
        return
    found = list(findings(settings, deep=deep))
    rows = [{"check": f.check, "ok": f.ok, "finding": f.text} for f in found]
    listing(rows, ("check", "ok", "finding"), as_json)
    if not all(f.ok for f in found):
        sys.exit(1)
