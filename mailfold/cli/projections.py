"""projection: list, rebuild and verify what is read."""

from __future__ import annotations

import sys

import click

from mailfold.cli.output import Failure, json_option, listing, progress
from mailfold.wiring import open_house


@click.group()
def projection() -> None:
    """Projections: what is read, and can be rebuilt from the log."""


@projection.command("list")
@json_option
def projection_list(as_json: bool) -> None:
    """List the projections with version, position and lag."""
    with open_house() as house:
        rows = [
            {"name": s.name, "version": s.version, "position": s.position, "lag": s.lag}
            for s in house.projection_status()
        ]
        listing(rows, ("name", "version", "position", "lag"), as_json)


@projection.command("rebuild")
@click.argument("name")
@click.option("--roll-back", is_flag=True, help="Put the previous version back in place.")
def projection_rebuild(name: str, roll_back: bool) -> None:
    """Build NAME anew beside the live one, then swap."""
    with open_house() as house:
        _known(house.projection_names(), name)
        if roll_back:
            click.echo(f"version {house.roll_back(name)} is live again")
            return
        version = progress(f"rebuild {name}", lambda report: house.rebuild(name, report))
        click.echo(f"version {version} is live")


@projection.command("verify")
@click.argument("name")
def projection_verify(name: str) -> None:
    """Fold NAME from the log once more and compare; exit 1 at the first row that differs."""
    with open_house() as house:
        _known(house.projection_names(), name)
        difference = progress(f"verify {name}", lambda report: house.verify(name, report))
        if difference is not None:
            click.echo(f"{name} differs from the log: {difference}")
            sys.exit(1)
        click.echo(f"{name} equals a fold of the log")


def _known(names: tuple[str, ...], name: str) -> None:
    if name not in names:
        raise Failure(f"no projection is called {name!r}; there are {', '.join(names)}")
