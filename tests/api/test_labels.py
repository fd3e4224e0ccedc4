from __future__ import annotations

from typing import Any

import pytest

from schemas.labels import SYSTEM_LABELS
from tests.api.fakes import House


def make(house: House, name: str, **more: Any) -> Any:
    answer = house.call("POST", "/mailboxes/me/labels", json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_system_labels_come_first_with_their_counts(house: House) -> None:
    house.deliver(house.ada)
    label = make(house, "work", color="#Ff0000")
    answer = house.get("/mailboxes/me/labels")
    found = answer.json()["labels"]
    assert [x["id"] for x in found] == [*SYSTEM_LABELS, label["id"]]
    assert found[0] == {
        "id": "INBOX",
        "name": "INBOX",
        "type": "system",
        "color": "",
        "messagesTotal": 1,
        "messagesUnread": 1,
    }
    assert found[-1] == label
    assert (label["name"], label["type"], label["color"]) == ("work", "user", "#ff0000")
    assert answer.headers["x-mailfold-seq"] == "4"


def test_a_label_can_be_put_on_a_message(house: House) -> None:
    m, label = house.deliver(house.ada), make(house, "work")
    answer = house.call("POST", f"/messages/{m}/modify", json={"addLabelIds": [label["id"]]})
    assert label["id"] in answer.json()["labelIds"]


@pytest.mark.parametrize("name", ["Work", " work ", "inbox", "ALL"])
def test_a_name_is_there_once(house: House, name: str) -> None:
    make(house, "work")
    answer = house.call("POST", "/mailboxes/me/labels", json={"name": name})
    assert (answer.status_code, answer.json()["error"]) == (409, "CONFLICT")


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"name": ""},
        {"name": "  "},
        {"name": "a\nb"},
        {"name": "x" * 226},
        {"name": "x", "color": "red"},
        {"name": 1},
    ],
)
def test_what_can_be_no_label_is_400(house: House, asked: dict[str, Any]) -> None:
    assert house.call("POST", "/mailboxes/me/labels", json=asked).status_code == 400


@pytest.mark.parametrize("name", ["👩\u200d🚀", "می\u200cخواهم", "\U00104c4d"])
def test_a_name_may_be_written_in_any_script_there_is_or_will_be(house: House, name: str) -> None:
    assert make(house, name)["name"] == name


@pytest.mark.parametrize("name", ["a\x00", "a\x85b", "a\u2028b", "\u202eevil", "\u2066a"])
def test_a_name_does_not_act_on_what_is_around_it(house: House, name: str) -> None:
    assert house.call("POST", "/mailboxes/me/labels", json={"name": name}).status_code == 400


def test_a_repeated_key_makes_one_label(house: House) -> None:
    key = {"Idempotency-Key": "k"}
    first, again = (
        house.call("POST", "/mailboxes/me/labels", headers=key, json={"name": "work"})
        for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()


def test_what_is_not_named_in_a_change_stays(house: House) -> None:
    label = make(house, "work", color="#00ff00")
    path = f"/mailboxes/me/labels/{label['id']}"
    assert house.call("PATCH", path, json={"name": "Work"}).json()["color"] == "#00ff00"
    changed = house.call("PATCH", path, json={"color": ""}).json()
    assert (changed["name"], changed["color"]) == ("Work", "")
    assert house.call("PATCH", path, json={}).status_code == 400


def test_a_label_is_deleted(house: House) -> None:
    label = make(house, "work")
    path = f"/mailboxes/me/labels/{label['id']}"
    key = {"Idempotency-Key": "k"}
    answer = house.call("DELETE", path, headers=key)
    assert (answer.status_code, answer.content) == (204, b"")
    assert house.call("DELETE", path).status_code == 404
    assert house.call("DELETE", path, headers=key).status_code == 204


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_system_labels_stay_as_they_are(house: House, method: str) -> None:
    more = {"json": {"name": "x"}} if method == "PATCH" else {}
    answer = house.call(method, "/mailboxes/me/labels/INBOX", **more)
    assert answer.status_code == 403


def test_the_name_is_sealed_in_the_log(house: House) -> None:
    make(house, "canary")
    assert all(b"canary" not in o.value for o in house.log.appended)
