"""How commands speak: a listing as a table or as JSON lines, an error as one line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click


class Failure(click.ClickException):
    """The command could not be done; the text says what to do. Exit status 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        """Print one line."""
        click.echo(f"mailfold: {self.message}", err=True)


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")


def iso(micros: int | None) -> str:
    """Return microseconds since 1970 as ISO 8601 in UTC with milliseconds; "" for None."""
    if micros is None:
        return ""
    moment = datetime.fromtimestamp(micros // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{micros % 1_000_000 // 1000:03d}Z"


def parse_time(text: str) -> int:
    """Return an ISO 8601 time (UTC unless it says otherwise) as microseconds. Raises Failure."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as e:
        raise Failure(f"{text!r} is no time; write it as 2026-01-31T13:45:00Z") from e
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1_000_000)


def listing(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """Print rows as JSON lines, or as a table of `columns`."""
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False, default=str))
        return
    table = [[_cell(row.get(c)) for c in columns] for row in rows]
    if not table:
        return
    widths = [max(len(c), *(len(r[i]) for r in table)) for i, c in enumerate(columns)]
    click.echo("  ".join(c.upper().ljust(w) for c, w in zip(columns, widths, strict=True)).rstrip())
    for r in table:
        click.echo("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(str(x) for x in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return str(value)
