from __future__ import annotations

from typing import Any

import pytest

from tests.api.fakes import House

PATH = "/mailboxes/me/filters"


def make(house: House, query: str = "from:ann", **actions: Any) -> Any:
    answer = house.call("POST", PATH, json={"query": query, **(actions or {"star": True})})
    assert answer.status_code == 201, answer.text
    return answer.json()


def listed(house: House) -> Any:
    return house.get(PATH).json()["filters"]


def test_a_filter_is_made_shown_and_listed(house: House) -> None:
    label = house.call("POST", "/mailboxes/me/labels", json={"name": "work"}).json()["id"]
    made = make(house, "from:ann subject:plan", addLabelIds=[label], archive=True, markRead=True)
    assert made == {
        "id": made["id"],
        "query": "from:ann subject:plan",
        "addLabelIds": [label],
        "archive": True,
        "star": False,
        "markRead": True,
        "neverSpam": False,
    }
    assert listed(house) == [made]
    assert house.get(f"{PATH}/{made['id']}").json() == made


def test_a_filter_is_replaced_whole(house: House) -> None:
    made = make(house, star=True)
    asked = {"query": "from:bob", "neverSpam": True}
    answer = house.call("PUT", f"{PATH}/{made['id']}", json=asked)
    assert answer.status_code == 200
    assert listed(house) == [answer.json()]
    assert (answer.json()["query"], answer.json()["star"]) == ("from:bob", False)


def test_a_filter_is_deleted(house: House) -> None:
    one, two = make(house), make(house)
    answer = house.call("DELETE", f"{PATH}/{one['id']}")
    assert (answer.status_code, answer.text) == (204, "")
    assert listed(house) == [two]
    assert house.call("DELETE", f"{PATH}/{one['id']}").status_code == 404


def test_a_repeated_call_has_its_effect_once(house: House) -> None:
    key = {"Idempotency-Key": "k"}
    asked = {"query": "from:ann", "star": True}
    answers = [house.call("POST", PATH, json=asked, headers=key).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert listed(house) == [answers[0]]
    gone = {"Idempotency-Key": "gone"}
    path = f"{PATH}/{answers[0]['id']}"
    assert [house.call("DELETE", path, headers=gone).status_code for _ in range(2)] == [204, 204]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("from:ann (subject:x", "at character 10: this parenthesis is never closed"),
        ("nosuch:x", "at character 1: no operator is called nosuch:"),
        ("larger:big", "at character 8: larger: takes a size"),
    ],
)
def test_a_mistake_in_the_query_is_told_with_its_place(
    house: House, query: str, place: str
) -> None:
    answer = house.call("POST", PATH, json={"query": query, "star": True})
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert answer.json()["message"].startswith(f"query: {place}")
    assert house.log.appended == []


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"star": True},
        {"query": "", "star": True},
        {"query": "x" * 2001, "star": True},
        {"query": "x"},
        {"query": "x", "star": "yes"},
        {"query": "x", "forward": "ann@example.test"},
        {"query": "x", "addLabelIds": ["ALL"]},
        {"query": "x", "addLabelIds": ["SENT"]},
        {"query": "x", "addLabelIds": ["TRASH", "INBOX"]},
        {"query": "x", "addLabelIds": ["INBOX"], "archive": True},
        {"query": "x", "addLabelIds": ["SPAM"], "neverSpam": True},
    ],
)
def test_what_makes_no_filter_is_refused(house: House, asked: Any) -> None:
    answer = house.call("POST", PATH, json=asked)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert house.log.appended == []


def test_the_query_is_in_no_command_in_clear(house: House) -> None:
    make(house, "canary")
    assert all(b"canary" not in x.value for x in house.log.appended)


def test_a_label_that_is_not_there_can_t_be_given_by_a_filter(house: House) -> None:
    answer = house.call("POST", PATH, json={"query": "x", "addLabelIds": ["nowhere"]})
    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")
