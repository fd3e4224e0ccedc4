"""The generated documents are current and name every field."""

from __future__ import annotations

from pathlib import Path

import yaml

from schemas.codec import schema, schema_names
from schemas.dictionary import asyncapi, markdown
from schemas.topics import TOPICS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_committed_data_dictionary_is_current() -> None:
    assert (DOCS / "events.md").read_text(encoding="utf-8") == markdown()


def test_the_committed_asyncapi_document_is_current() -> None:
    assert (DOCS / "asyncapi.yaml").read_text(encoding="utf-8") == asyncapi()


def test_the_data_dictionary_names_every_field_of_every_record() -> None:
    text = markdown()
    for name in schema_names():
        assert f"### {name}\n" in text
        for f in schema(name)["fields"]:
            assert f"| `{f['name']}` |" in text


def test_the_asyncapi_document_has_every_topic_and_every_message() -> None:
    document = yaml.safe_load(asyncapi())
    assert {c["address"] for c in document["channels"].values()} == set(TOPICS)
    assert set(document["components"]["messages"]) == {
        r.__name__ for t in TOPICS.values() for r in t.records
    }
