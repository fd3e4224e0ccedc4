"""The document says all that the API does."""

from __future__ import annotations

import re
from typing import Any

import pytest

from api.rest.once import ONCE
from tests.api.fakes import House

PROMISED = {
    ("post", "/login"),
    ("get", "/mailboxes"),
    ("get", "/mailboxes/{mailboxId}"),
    ("get", "/mailboxes/{mailboxId}/messages"),
    ("post", "/mailboxes/{mailboxId}/messages/batchModify"),
    ("get", "/messages/{id}"),
    ("delete", "/messages/{id}"),
    ("post", "/messages/{id}/modify"),
    ("post", "/messages/{id}/restore"),
    ("get", "/messages/{id}/attachments/{attachmentId}"),
    ("get", "/messages/{id}/trace"),
    ("get", "/mailboxes/{mailboxId}/labels"),
    ("post", "/mailboxes/{mailboxId}/labels"),
    ("patch", "/mailboxes/{mailboxId}/labels/{labelId}"),
    ("delete", "/mailboxes/{mailboxId}/labels/{labelId}"),
    ("get", "/mailboxes/{mailboxId}/threads"),
    ("get", "/threads/{id}"),
    ("get", "/mailboxes/{mailboxId}/contacts"),
    ("get", "/mailboxes/{mailboxId}/history"),
    ("get", "/mailboxes/{mailboxId}/stream"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
}


@pytest.fixture
def document(house: House) -> Any:
    return house.get("/openapi.json", None).json()


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [(m, p, op) for p, methods in document["paths"].items() for m, op in methods.items()]


def test_every_promised_call_is_there(document: Any) -> None:
    found = {(m, p.removeprefix("/api/v1")) for m, p, _ in operations(document)}
    assert found >= PROMISED


def test_every_reference_leads_somewhere_and_nothing_is_left_over(document: Any) -> None:
    text = str(document)
    named = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert named == set(document["components"]["schemas"])


def test_every_parameter_of_a_path_is_described(document: Any) -> None:
    for method, path, operation in operations(document):
        described = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert described == set(re.findall(r"{(\w+)}", path)), (method, path)
        assert operation["description"], (method, path)


def test_no_parameter_may_be_null(document: Any) -> None:
    for method, path, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert "null" not in str(parameter["schema"]), (method, path, parameter["name"])


def test_every_error_is_described_in_its_shape(document: Any) -> None:
    shape = {"$ref": "#/components/schemas/Error"}
    for method, path, operation in operations(document):
        answers = operation["responses"]
        assert "422" not in answers
        assert {"400", "429", "503", "default"} <= set(answers), (method, path)
        assert ("401" in answers) == (operation["security"] != [] or path.endswith("/login"))
        for status, answer in answers.items():
            if status == "default" or int(status) >= 400:
                assert answer["content"]["application/json"]["schema"] == shape
    error = document["components"]["schemas"]["Error"]
    assert set(error["required"]) == {"error", "message", "requestId"}


def test_every_read_of_a_mailbox_says_its_seq(document: Any) -> None:
    for method, path, operation in operations(document):
        if "401" in operation["responses"] and "attachments" not in path and "login" not in path:
            good = next(iter(operation["responses"].values()))
            assert "X-Mailfold-Seq" in good["headers"], (method, path)


def test_operation_ids_are_there_once(document: Any) -> None:
    ids = [op["operationId"] for _, _, op in operations(document)]
    assert len(ids) == len(set(ids))


def test_every_parameter_that_is_no_list_is_asked_once(document: Any) -> None:
    found = {
        p["name"]
        for _, _, operation in operations(document)
        for p in operation.get("parameters", [])
        if p["in"] == "query" and p["schema"].get("type") != "array"
    }
    assert found == ONCE


def test_a_parameter_that_is_asked_twice_is_a_mistake(house: House) -> None:
    answer = house.get("/mailboxes/me?minSeq=x&minSeq=0")
    assert (answer.status_code, answer.json()["message"]) == (400, "minSeq: give it once")
    assert house.get("/mailboxes/me/messages?labelIds=INBOX&labelIds=SENT").status_code == 200
    assert house.get("/mailboxes/me?unknown=1&unknown=2").status_code == 200
