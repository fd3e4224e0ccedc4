"""Generate the data dictionary from the schemas: docs/events.md and docs/asyncapi.yaml.

`python -m schemas.dictionary FOLDER` writes both; a test holds the committed files against it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml

from schemas.codec import schema, schema_names
from schemas.topics import TOPICS, Topic, dead_topic, subject

_HEADERS = {
    "ce_id": "event_id of the event, command_id of the command (CloudEvents id)",
    "ce_type": "name of the record (CloudEvents type)",
    "ce_source": "the installation (CloudEvents source)",
    "ce_time": "when it was recorded, RFC 3339 (CloudEvents time)",
    "traceparent": "W3C trace context: the trace is the mail, the span is the event",
}

_INTRO = """# Events

Generated from the schemas; do not edit. Every fact about a mail is one immutable Avro record in a
topic. Times are microseconds since 1970 UTC, sizes are octets, identifiers are UUIDs in their
36-character form. A field marked **sealed** is AES-256-GCM under a key of its own mail, message or
mailbox; what it holds is the record named beside it. Erasing a mail destroys the key.

"""


def _type(t: Any) -> str:
    if isinstance(t, list):
        return " or ".join(_type(x) for x in cast("list[Any]", t))
    if isinstance(t, str):
        return t.removeprefix("mailfold.")
    d = cast("dict[str, Any]", t)
    if d["type"] == "array":
        return f"list of {_type(d['items'])}"
    if d["type"] in ("record", "enum"):
        return str(d["name"])
    return str(d.get("logicalType", d["type"]))


def _fields(record: dict[str, Any]) -> Iterator[str]:
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for f in record["fields"]:
        kind = _type(f["type"])
        if f.get("sealed"):
            inner = str(f["seals"]).removeprefix("mailfold.")
            kind = f"**sealed** [{inner}](#{inner.lower()})"
        default = "" if "default" not in f else f" Default `{json.dumps(f['default'])}`."
        yield f"| `{f['name']}` | {kind} | {f['doc']}{default} |"


def _nested(node: Any, found: dict[str, dict[str, Any]]) -> None:
    if isinstance(node, list):
        for x in cast("list[Any]", node):
            _nested(x, found)
    elif isinstance(node, dict):
        d = cast("dict[str, Any]", node)
        if d.get("type") in ("record", "enum"):
            found.setdefault(str(d["name"]), d)
        for k in ("type", "items", "fields"):
            _nested(d.get(k), found)


def _section(name: str, record: dict[str, Any], level: int) -> Iterator[str]:
    yield f"{'#' * level} {name}"
    yield ""
    yield str(record["doc"])
    yield ""
    if record["type"] == "enum":
        yield "One of " + ", ".join(f"`{s}`" for s in record["symbols"]) + "."
    else:
        yield from _fields(record)
    yield ""


def _topic(topic: Topic) -> Iterator[str]:
    kept = "for ever" if topic.kept == "forever" else "until consumed"
    yield f"## Topic `{topic.name}`"
    yield ""
    yield f"{topic.doc} Key: `{topic.key}`. Kept {kept}. Dead letters: `{dead_topic(topic.name)}`."
    yield ""
    for r in topic.records:
        yield from _section(r.__name__, schema(r.__name__), 3)


def markdown() -> str:
    """Return docs/events.md."""
    lines: list[str] = []
    for topic in TOPICS.values():
        lines += _topic(topic)
    in_topics = {r.__name__ for t in TOPICS.values() for r in t.records}
    parts: dict[str, dict[str, Any]] = {}
    for name in schema_names():
        _nested(schema(name), parts)
    lines += ["## Records inside records", ""]
    for name in sorted(set(parts) - in_topics):
        lines += _section(name, parts[name], 3)
    lines += ["## Headers on Kafka", "", "| header | meaning |", "|---|---|"]
    lines += [f"| `{k}` | {v} |" for k, v in _HEADERS.items()]
    return _INTRO + "\n".join(lines) + "\n"


def asyncapi() -> str:
    """Return docs/asyncapi.yaml (AsyncAPI 3.0)."""
    channels: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for topic in TOPICS.values():
        ident = topic.name.replace(".", "_")
        channels[ident] = {
            "address": topic.name,
            "description": topic.doc,
            "messages": {
                r.__name__: {"$ref": f"#/components/messages/{r.__name__}"} for r in topic.records
            },
            "bindings": {"kafka": {"topic": topic.name, "bindingVersion": "0.5.0"}},
        }
        operations[f"read_{ident}"] = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{ident}"},
        }
        for r in topic.records:
            messages[r.__name__] = {
                "name": r.__name__,
                "summary": schema(r.__name__)["doc"],
                "contentType": "avro/binary",
                "headers": {
                    "type": "object",
                    "properties": {
                        k: {"type": "string", "description": v} for k, v in _HEADERS.items()
                    },
                },
                "payload": {
                    "schemaFormat": "application/vnd.apache.avro+json;version=1.9.0",
                    "schema": schema(r.__name__),
                },
                "bindings": {
                    "kafka": {
                        "key": {"type": "string", "description": topic.key},
                        "schemaIdLocation": "payload",
                        "bindingVersion": "0.5.0",
                    }
                },
                "x-registry-subject": subject(topic.name, r.__name__),
            }
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "mailfold",
            "version": "0.1.0",
            "description": "Every mail event, as immutable Avro records. Generated; do not edit.",
        },
        "defaultContentType": "avro/binary",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


def main(folder: str) -> None:
    """Write both documents into `folder`."""
    Path(folder, "events.md").write_text(markdown(), encoding="utf-8")
    Path(folder, "asyncapi.yaml").write_text(asyncapi(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
