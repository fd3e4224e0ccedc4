"""Nobody sees, changes or learns of what is somebody else's, on any route there is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.fakes import House
from tests.api.test_messages import ATTACHED, RAW

NONE = "00000000-0000-4000-8000-000000000000"

BODIES: dict[str, Any] = {
    "Modify": {"isRead": True},
    "BatchModify": {"ids": [NONE], "isRead": True},
    "MoveTo": {"threadId": NONE},
    "NewLabel": {"name": "x"},
    "NewFilter": {"query": "from:ann", "star": True},
    "LabelChange": {"name": "x"},
}
# Routes that name nothing of anybody's.
WITHOUT_NAMES = {
    ("post", "/api/v1/login"),
    ("get", "/api/v1/mailboxes"),
    ("get", "/api/v1/healthz"),
    ("get", "/api/v1/readyz"),
    ("get", "/api/v1/metrics"),
}
SIGNED = "/api/v1/messages/{id}/attachments/{attachmentId}/content"


def routes(house: House) -> list[tuple[str, str, dict[str, Any]]]:
    document = house.get("/openapi.json", None).json()
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    if "requestBody" not in operation:
        return {}
    schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return {"json": BODIES[schema.rpartition("/")[2]]}


def without_id(answer: Any) -> Any:
    return {k: v for k, v in answer.json().items() if k != "requestId"}


def test_every_route_answers_somebody_elses_name_as_one_that_does_not_exist(house: House) -> None:
    theirs = house.deliver(house.bob, RAW, attachments=ATTACHED)
    label = house.call("POST", "/mailboxes/me/labels", "bob", json={"name": "b"}).json()["id"]
    filtered = house.call("POST", "/mailboxes/me/filters", "bob", json=BODIES["NewFilter"])
    house.log.appended.clear()
    before = (dict(house.boxes.visible), {k: list(v) for k, v in house.boxes.feed.items()})
    tried = 0
    for method, path, operation in routes(house):
        if (method, path) in WITHOUT_NAMES or path == SIGNED:
            continue
        assert "{" in path, f"{method} {path} names nothing; add it to WITHOUT_NAMES"
        answers = [
            house.call(
                method.upper(),
                path.removeprefix("/api/v1")
                .replace("{mailboxId}", mailbox)
                .replace("{id}", message)
                .replace("{attachmentId}", "3")
                .replace("{labelId}", label_id)
                .replace("{filterId}", filter_id),
                **body_of(operation),
            )
            for mailbox, message, label_id, filter_id in (
                (house.bob.mailbox_id, theirs, label, filtered.json()["id"]),
                (NONE, NONE, NONE, NONE),
            )
        ]
        assert [a.status_code for a in answers] == [404, 404], (method, path)
        assert without_id(answers[0]) == without_id(answers[1]), (method, path)
        tried += 1
    assert tried >= 14
    assert house.log.appended == []
    assert before == (dict(house.boxes.visible), {k: list(v) for k, v in house.boxes.feed.items()})


@pytest.mark.parametrize("query", ["?erase=true", ""])
def test_deletion_of_somebody_elses_message_is_404(house: House, query: str) -> None:
    theirs = house.deliver(house.bob, labels=("TRASH",))
    assert house.call("DELETE", f"/messages/{theirs}{query}").status_code == 404
    house.call("DELETE", f"/messages/{theirs}", "bob")
    assert house.call("DELETE", f"/messages/{theirs}{query}").status_code == 404
    assert house.call("POST", f"/messages/{theirs}/restore").status_code == 404
    assert house.get(f"/messages/{theirs}/trace").status_code == 404


@pytest.mark.parametrize("format", ["minimal", "metadata", "full", "raw", "original"])
def test_no_format_shows_somebody_elses_message(house: House, format: str) -> None:
    theirs = house.deliver(house.bob)
    assert house.get(f"/messages/{theirs}?format={format}").status_code == 404
    assert house.get(f"/messages/{theirs}?format={format}", "bob").status_code == 200


def test_lists_hold_ones_own_alone(house: House) -> None:
    mine, theirs = house.deliver(house.ada), house.deliver(house.bob, name="other")
    house.call("POST", "/mailboxes/me/labels", "bob", json={"name": "secret plan"})
    secret = {"query": '"secret plan"', "star": True}
    house.call("POST", "/mailboxes/me/filters", "bob", json=secret)
    for path in (
        "/mailboxes",
        "/mailboxes/me/messages?includeSpam=true",
        "/mailboxes/me/labels",
        "/mailboxes/me/filters",
        "/mailboxes/me/history",
    ):
        text = house.get(path).text
        assert theirs not in text
        assert house.bob.mailbox_id not in text
        assert "secret plan" not in text
    assert mine in house.get("/mailboxes/me/messages").text


def test_somebody_elses_label_cant_be_used(house: House) -> None:
    m = house.deliver(house.ada)
    label = house.call("POST", "/mailboxes/me/labels", "bob", json={"name": "b"}).json()["id"]
    answer = house.call("POST", f"/messages/{m}/modify", json={"addLabelIds": [label]})
    assert answer.status_code == 404
    for method, more in (("PATCH", {"json": {"name": "x"}}), ("DELETE", {})):
        assert house.call(method, f"/mailboxes/me/labels/{label}", **more).status_code == 404


def test_somebody_elses_filter_is_not_there(house: House) -> None:
    asked = BODIES["NewFilter"]
    theirs = house.call("POST", "/mailboxes/me/filters", "bob", json=asked).json()["id"]
    path = f"/mailboxes/me/filters/{theirs}"
    assert house.get(path).status_code == 404
    for method, more in (("PUT", {"json": asked}), ("DELETE", {})):
        assert house.call(method, path, **more).status_code == 404
    assert house.get(path, "bob").status_code == 200


def test_one_key_of_two_people_is_two_keys(house: House) -> None:
    key = {"Idempotency-Key": "same"}
    for who, account in (("ada", house.ada), ("bob", house.bob)):
        m = house.deliver(account)
        answer = house.call(
            "POST", f"/messages/{m}/modify", who, headers=key, json={"isRead": True}
        )
        assert answer.json()["isRead"] is True


def test_every_route_but_the_public_ones_asks_for_a_token(house: House) -> None:
    for method, path, operation in routes(house):
        public = operation["security"] == []
        assert public == (
            (method, path) in WITHOUT_NAMES - {("get", "/api/v1/mailboxes")} or path == SIGNED
        )
        if not public:
            path = path.removeprefix("/api/v1")
            answer = house.call(method.upper(), path, None, **body_of(operation))
            assert answer.status_code == 401, (method, path)


def test_a_token_that_may_read_changes_nothing(house: House) -> None:
    m = house.deliver(house.ada)
    for method, path, operation in routes(house):
        if method == "get" or path == "/api/v1/login":
            continue
        path = path.removeprefix("/api/v1").replace("{mailboxId}", "me").replace("{id}", m)
        answer = house.call(method.upper(), path, "reader", **body_of(operation))
        assert (answer.status_code, answer.json()["error"]) == (403, "FORBIDDEN"), (method, path)
    assert house.log.appended == []
