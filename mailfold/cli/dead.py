"""dead: records that a stage could not take, and those that wait behind them."""

from __future__ import annotations

import json

import click

from mailfold.cli.events import describe
from mailfold.cli.output import Failure, iso, json_option, listing
from mailfold.wiring import open_house
from streams.topology import STAGES


@click.group()
def dead() -> None:
    """Dead letters: list, show, try again."""


@dead.command("list")
@json_option
def dead_list(as_json: bool) -> None:
    """List what is parked, in order."""
    with open_house() as house:
        rows = [
            {
                "id": d.id,
                "stage": d.stage,
                "state": d.state,
                "topic": d.record.topic,
                "key": d.record.key,
                "type": d.record.type,
                "error": d.error,
                "attempts": d.attempts,
                "first": iso(d.first_at),
                "last": iso(d.last_at),
            }
            for d in house.dead.list()
        ]
        columns = ("id", "stage", "state", "type", "key", "error", "attempts", "first", "last")
        listing(rows, columns, as_json)


@dead.command("show")
@click.argument("id_", metavar="ID", type=int)
def dead_show(id_: int) -> None:
    """Show one record as it came."""
    with open_house() as house:
        for d in house.dead.list():
            if d.id == id_:
                shown = describe(d.record, None) | {"error": d.error}
                click.echo(json.dumps(shown, ensure_ascii=False))
                return
        raise Failure(f"no dead letter has the id {id_}; `mailfold dead list` lists them")


@dead.command("retry")
@click.argument("ids", metavar="ID", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of them.")
def dead_retry(ids: tuple[int, ...], everything: bool) -> None:
    """Try records again, each with those that wait behind it."""
    if bool(ids) == everything:
        raise click.UsageError("name the ids, or --all")
    with open_house() as house:
        count = house.dead.retry(None if everything else ids)
        for stage in STAGES:
            house.wake.notify(stage.source)
        click.echo(f"{count} to be tried again")
