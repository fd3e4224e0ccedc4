"""events: look into the topics, as an analyst or an operator does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click
import msgspec

from infra.ports import EventLog, KeyStore, Record
from mailfold.cli.output import Failure, iso, json_option, listing, parse_time
from mailfold.tracing import find_mail
from mailfold.tracing import trace as trace_of
from mailfold.wiring import open_house
from schemas.codec import CodecError, record_types, schema
from schemas.seal import SealError, unseal
from schemas.topics import DEAD_SUFFIX, TOPICS

_CHUNK = 500


@click.group()
def events() -> None:
    """Read the topics."""


@events.command("topics")
@json_option
def topics(as_json: bool) -> None:
    """List the topics: key, records, and how many offsets each holds."""
    with open_house() as house:
        rows = [
            {
                "topic": t.name,
                "key": t.key,
                "records": [r.__name__ for r in t.records],
                "begin": sum(house.log.begin(t.name).values()),
                "end": sum(house.log.end(t.name).values()),
            }
            for t in TOPICS.values()
        ]
        listing(rows, ("topic", "key", "begin", "end", "records"), as_json)


@events.command("read")
@click.argument("topic")
@click.option("--from", "since", help="First time, ISO 8601.")
@click.option("--to", "until", help="Time to stop before, ISO 8601.")
@click.option("--key", help="Only records with this key.")
@click.option("--type", "kind", help="Only records of this type, for instance Delivered.")
@click.option("--unseal", is_flag=True, help="Open sealed fields whose key is not destroyed.")
def read(
    topic: str,
    since: str | None,
    until: str | None,
    key: str | None,
    kind: str | None,
    unseal: bool,
) -> None:
    """Print a topic's records as JSON lines, oldest first."""
    stop = parse_time(until) if until else None
    with open_house() as house:
        log = house.log
        _known(topic)
        position = log.position_at(topic, parse_time(since)) if since else log.begin(topic)
        for record in _until_end(log, topic, position):
            if stop is not None and record.recorded_at >= stop:
                continue
            if (key is None or record.key == key) and (kind is None or record.type == kind):
                click.echo(_text(describe(record, house.keys if unseal else None)))


@events.command("tail")
@click.argument("topic")
@click.option("--unseal", is_flag=True, help="Open sealed fields whose key is not destroyed.")
@click.option("--count", type=int, help="Stop after so many records.")
@click.option("--from-start", is_flag=True, help="Begin with the oldest record.")
def tail(topic: str, unseal: bool, count: int | None, from_start: bool) -> None:
    """Print a topic's new records as JSON lines until interrupted."""
    with open_house() as house:
        _known(topic)
        start = house.log.begin(topic) if from_start else house.log.end(topic)
        reader = house.log.reader(topic, start)
        left = count
        # Ctrl-C is how it ends, and no failure.
        with suppress(KeyboardInterrupt):
            while left is None or left > 0:
                for record in reader.poll(_CHUNK if left is None else min(left, _CHUNK), 1.0):
                    click.echo(_text(describe(record, house.keys if unseal else None)))
                    left = None if left is None else left - 1
        reader.close()


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)


def _known(topic: str) -> None:
    if topic.removesuffix(DEAD_SUFFIX) not in TOPICS:
        raise Failure(f"there is no topic {topic!r}; `mailfold events topics` lists them")


def _until_end(log: EventLog, topic: str, position: Any) -> Iterator[Record]:
    end = log.end(topic)
    reader = log.reader(topic, position)
    try:
        while any(reader.position.get(p, 0) < n for p, n in end.items()):
            batch = reader.poll(_CHUNK, 1.0)
            if not batch:
                return
            yield from (r for r in batch if r.offset < end.get(r.partition, 0))
    finally:
        reader.close()


def describe(record: Record, keys: KeyStore | None) -> dict[str, Any]:
    """Return a record as plain JSON values; sealed fields opened when `keys` are given."""
    out: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key,
        "type": record.type,
        "recordedAt": iso(record.recorded_at),
    }
    try:
        value = record.decode()
    except CodecError as e:
        return out | {"error": str(e)}
    return out | {"value": _plain(value, record, keys)}


def _plain(value: msgspec.Struct, record: Record, keys: KeyStore | None) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(value, builtin_types=(bytes,))
    for field in schema(record.type)["fields"]:
        if field.get("sealed"):
            inner = str(field["seals"]).removeprefix("mailfold.")
            sealed: bytes = built[field["name"]]
            opened = None if keys is None else _open(value, record, sealed, inner, keys)
            built[field["name"]] = opened or f"<{inner}, {len(sealed)} octets sealed>"
    readable: dict[str, Any] = _readable(built)
    return readable


def _open(
    value: msgspec.Struct, record: Record, sealed: bytes, inner: str, keys: KeyStore
) -> dict[str, Any] | None:
    owner = {"Digest": "message_id", "LabelSecret": "mailbox_id", "FilterSecret": "mailbox_id"}
    identity: str = getattr(value, owner.get(inner, "mail_id"))
    key = keys.get([identity]).get(identity)
    if key is None:
        return None
    try:
        opened = unseal(record_types()[inner], sealed, key, record.event_id)
    except SealError:
        return None
    plain: dict[str, Any] = msgspec.to_builtins(opened, builtin_types=(bytes,))
    return plain


def _readable(node: Any) -> Any:
    if isinstance(node, bytes):
        return node.hex()
    if isinstance(node, dict):
        return {k: _readable(v) for k, v in node.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(node, list):
        return [_readable(v) for v in node]  # pyright: ignore[reportUnknownVariableType]
    return node


@click.command()
@click.argument("mail", metavar="MESSAGE-ID|MAIL_ID")
@json_option
@click.option("--wait", type=float, default=0.0, help="Wait up to so many seconds for delivery.")
def trace(mail: str, as_json: bool, wait: float) -> None:
    """Show every event of one mail, all stages, with times."""
    with open_house() as house:
        deadline = time.monotonic() + wait
        while True:
            steps = [s for mail_id in find_mail(house, mail) for s in trace_of(house, mail_id)]
            done = any(s.type in ("Delivered", "Duplicate", "Attempted") for s in steps)
            if done or time.monotonic() >= deadline:
                break
            time.sleep(0.1)
        if not steps:
            raise Failure(f"no mail is known as {mail}")
        rows = [
            {
                "recordedAt": iso(s.at),
                "stage": s.stage,
                "type": s.type,
                "eventId": s.event_id,
                "mailId": s.mail_id,
                "mailbox": s.mailbox,
                "seq": s.seq,
                "outcome": s.outcome,
            }
            for s in steps
        ]
        columns = ("recordedAt", "stage", "type", "eventId", "mailbox", "seq", "outcome")
        listing(rows, columns, as_json)
