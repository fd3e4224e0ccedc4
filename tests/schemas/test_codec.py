"""The Python types, the .avsc files and the bytes say the same."""

from __future__ import annotations

import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import parts
from schemas.codec import (
    CodecError,
    decode,
    decode_as,
    encode,
    record_types,
    schema,
    schema_names,
)
from schemas.mailbox_events import Labelled
from schemas.topics import TOPICS

NAMES = schema_names()
_PLAIN: dict[str, tuple[Any, ...]] = {
    "string": (str,),
    "bytes": (bytes,),
    "long": (int,),
    "int": (int,),
    "double": (float,),
    "boolean": (bool,),
}


def python_type(node: Any) -> Any:
    """Return the Python type that an Avro type stands for."""
    if isinstance(node, list):
        return python_type(node[1]) | None
    if isinstance(node, str):
        if node in _PLAIN:
            return _PLAIN[node][0]
        return getattr(parts, node.removeprefix("mailfold."))
    if node["type"] == "array":
        return list[python_type(node["items"])]
    if node["type"] in ("record", "enum"):
        return getattr(parts, node["name"])
    return python_type(node["type"])


def values(node: Any) -> st.SearchStrategy[Any]:
    """Return values of a Python type, for msgspec records too."""
    if isinstance(node, type) and issubclass(node, msgspec.Struct):
        hints = typing.get_type_hints(node)
        return st.builds(node, **{f: values(hints[f]) for f in node.__struct_fields__})
    origin = typing.get_origin(node)
    if origin is list:
        return st.lists(values(typing.get_args(node)[0]), max_size=3)
    if origin is typing.Literal:
        return st.sampled_from(typing.get_args(node))
    if node is int:
        return st.integers(-(2**31), 2**31 - 1)
    if node is float:
        return st.floats(allow_nan=False)
    if node is bool:
        return st.booleans()
    if node is bytes:
        return st.binary(max_size=40)
    if node is str:
        return st.text(st.characters(codec="utf-8"), max_size=20)
    return st.one_of(*(st.none() if a is type(None) else values(a) for a in typing.get_args(node)))


@pytest.mark.parametrize("name", NAMES)
def test_python_type_has_the_fields_types_and_defaults_of_its_schema(name: str) -> None:
    kind = record_types()[name]
    fields = schema(name)["fields"]
    hints = typing.get_type_hints(kind)
    assert {f["name"] for f in fields} == set(kind.__struct_fields__)
    info = {f.name: f for f in msgspec.structs.fields(kind)}
    for f in fields:
        assert hints[f["name"]] == python_type(f["type"]), f["name"]
        assert ("default" in f) == (not info[f["name"]].required), f["name"]


@pytest.mark.parametrize("name", NAMES)
def test_every_field_says_what_it_means(name: str) -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") in ("record", "enum"):
                assert node["doc"].endswith(".")
            for f in node.get("fields", ()):
                assert f["doc"], f["name"]
                walk(f["type"])
            walk(node.get("items"))
            walk(node.get("type"))
        elif isinstance(node, list):
            for x in node:
                walk(x)

    walk(schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_enum_has_the_default_unknown(name: str) -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "enum":
                assert node["default"] == "unknown"
                assert node["symbols"][0] == "unknown"
            for v in node.values():
                walk(v)
        elif isinstance(node, list):
            for x in node:
                walk(x)

    walk(schema(name))


@given(st.data())
def test_what_is_encoded_decodes_to_the_same(data: st.DataObject) -> None:
    kind = record_types()[data.draw(st.sampled_from(NAMES))]
    record = data.draw(values(kind))
    assert decode(kind.__name__, encode(record)) == record


@given(st.sampled_from(NAMES), st.binary(max_size=200))
def test_garbage_is_a_codec_error_or_a_record_that_encodes_again(name: str, garbage: bytes) -> None:
    try:
        record = decode(name, garbage)
    except CodecError:
        return
    assert decode(name, encode(record)) == record


def test_an_unknown_record_type_is_a_codec_error() -> None:
    with pytest.raises(CodecError, match="unknown"):
        decode("Nonsense", b"")


def test_bytes_after_the_end_are_refused() -> None:
    event = Labelled(
        event_id="e", mailbox_id="m", seq=1, occurred_at=1, recorded_at=1, caused_by="c",
        message_id="m", mail_id="m",
    )  # fmt: skip
    with pytest.raises(CodecError):
        decode_as(Labelled, encode(event) + b"x")


def test_every_record_of_a_topic_has_a_schema() -> None:
    assert {r.__name__ for t in TOPICS.values() for r in t.records} <= set(NAMES)
