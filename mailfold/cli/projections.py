"""projection: list, rebuild and verify what is read."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from mailfold.cli.output import Failure, json_option, listing
from mailfold.cli.progress import Report, progress
from mailfold.wiring import open_house
from projections.rebuild import Progress, rebuild, roll_back, status
from projections.verify import verify
from streams.topology import PROJECTIONS


@click.group()
def projection() -> None:
    """Projections: what is read, and can be rebuilt from the log."""


@projection.command("list")
@json_option
def projection_list(as_json: bool) -> None:
    """List the projections with version, position and lag."""
    with open_house() as house:
        rows = [
            {
                "name": s.name,
                "version": s.version,
                "state": s.state,
                "position": sum(s.position.values()),
                "lag": s.lag,
            }
            for versions in house.versions.values()
            for s in status(house.log, versions)
        ]
        listing(rows, ("name", "version", "state", "position", "lag"), as_json)


@projection.command("rebuild")
@click.argument("name")
@click.option("--roll-back", "back", is_flag=True, help="Put the previous version back in place.")
def projection_rebuild(name: str, back: bool) -> None:
    """Build NAME anew beside the live one, then swap."""
    with open_house() as house:
        _known(name)
        if back:
            again = roll_back(house.log, house.versions[name])
            click.echo(f"version {again.version} is live again")
            return
        made = progress(
            f"rebuild {name}",
            lambda report: rebuild(
                house.log, house.versions[name], clock=house.clock, report=_told(report)
            ),
        )
        click.echo(f"version {made.version} is live")


@projection.command("verify")
@click.argument("name")
def projection_verify(name: str) -> None:
    """Fold NAME from the log once more and compare; exit 1 at the first row that differs."""
    with open_house() as house:
        _known(name)
        difference = progress(
            f"verify {name}",
            lambda report: verify(
                house.log, house.versions[name], clock=house.clock, report=_told(report)
            ),
        )
        if difference is not None:
            click.echo(f"{name} differs from the log: {difference}")
            sys.exit(1)
        click.echo(f"{name} equals a fold of the log")


def _told(report: Report) -> Callable[[Progress], None]:
    return lambda p: report(p.done, p.total)


def _known(name: str) -> None:
    names = [p.name for p in PROJECTIONS]
    if name not in names:
        raise Failure(f"no projection is called {name!r}; there are {', '.join(names)}")
