from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.fakes import House

NONE = "00000000-0000-4000-8000-000000000000"


def modify(house: House, m: str, **asked: Any) -> Any:
    answer = house.call("POST", f"/messages/{m}/modify", json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_change_answers_the_message_as_it_is_now(house: House) -> None:
    m = house.deliver(house.ada)
    now = modify(house, m, isRead=True, isStarred=True, addLabelIds=["SENT"])
    assert (now["isRead"], now["isStarred"], now["labelIds"]) == (True, True, ["INBOX", "SENT"])
    assert now["seq"] == 4
    now = modify(house, m, isRead=False, removeLabelIds=["INBOX"])
    assert (now["isRead"], now["isStarred"], now["labelIds"]) == (False, True, ["SENT"])
    assert now == house.get("/mailboxes/me/messages").json()["messages"][0]


def test_a_change_without_effect_is_answered_too(house: House) -> None:
    m = house.deliver(house.ada)
    modify(house, m, isRead=True)
    answer = house.call("POST", f"/messages/{m}/modify", json={"isRead": True})
    assert (answer.status_code, answer.headers["x-mailfold-seq"]) == (200, "4")


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"isRead": None},
        {"addLabelIds": ["SENT"], "removeLabelIds": ["SENT"]},
        {"addLabelIds": "SENT"},
        {"isRead": "yes"},
        {"read": True},
    ],
)
def test_a_change_that_makes_no_sense_is_400(house: House, asked: dict[str, Any]) -> None:
    m = house.deliver(house.ada)
    answer = house.call("POST", f"/messages/{m}/modify", json=asked)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert house.log.appended == []


@pytest.mark.parametrize(
    ("asked", "status", "error"),
    [
        ({"addLabelIds": ["ALL"]}, 403, "FORBIDDEN"),
        ({"removeLabelIds": ["ALL"]}, 403, "FORBIDDEN"),
        ({"addLabelIds": ["nowhere"]}, 404, "NOT_FOUND"),
        ({"removeLabelIds": ["nowhere"]}, 404, "NOT_FOUND"),
    ],
)
def test_a_label_that_is_not_the_user_s_to_give_is_refused(
    house: House, asked: dict[str, Any], status: int, error: str
) -> None:
    m = house.deliver(house.ada)
    answer = house.call("POST", f"/messages/{m}/modify", json=asked)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert house.log.appended == []


def test_a_repeated_key_has_its_effect_once(house: House) -> None:
    m = house.deliver(house.ada)
    key = {"Idempotency-Key": "a key"}
    first = house.call("POST", f"/messages/{m}/modify", headers=key, json={"isRead": True})
    modify(house, m, isRead=False)
    again = house.call("POST", f"/messages/{m}/modify", headers=key, json={"isRead": True})
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["isRead"] is False


@pytest.mark.parametrize("if_match", ["3", '"3"', " 4 "])
def test_a_change_is_made_when_nothing_changed_since(house: House, if_match: str) -> None:
    m = house.deliver(house.ada)
    answer = house.call(
        "POST", f"/messages/{m}/modify", headers={"If-Match": if_match}, json={"isRead": True}
    )
    assert answer.status_code == 200


def test_a_change_of_what_has_changed_since_is_412(house: House) -> None:
    m = house.deliver(house.ada)
    for method, path in (("POST", f"/messages/{m}/modify"), ("DELETE", f"/messages/{m}")):
        more = {"json": {"isRead": True}} if method == "POST" else {}
        answer = house.call(method, path, headers={"If-Match": "2"}, **more)
        assert (answer.status_code, answer.json()["error"]) == (412, "PRECONDITION_FAILED")
    assert house.boxes.head(house.ada.mailbox_id) == 3


def test_an_effect_that_takes_too_long_is_202_and_comes_later() -> None:
    house = House(wait=0.01)
    try:
        m = house.deliver(house.ada)
        house.log.held = []
        answer = house.call("POST", f"/messages/{m}/modify", json={"isRead": True})
        assert answer.status_code == 202
        assert set(answer.json()) == {"status", "commandId"}
        house.log.release()
        assert house.get(f"/messages/{m}?format=minimal").json()["isRead"] is True
    finally:
        house.close()


def test_an_effect_is_waited_for_without_polling(house: House) -> None:
    m = house.deliver(house.ada)
    house.log.held = []

    async def both() -> int:
        call = asyncio.create_task(
            house.ask("POST", f"/messages/{m}/modify", json={"isRead": True})
        )
        while not house.log.held:
            await asyncio.sleep(0)
        house.log.release()
        return (await call).status_code

    assert house.runner.run(both()) == 200


def test_a_batch_answers_all_as_they_are_now_and_what_was_refused(house: House) -> None:
    ids = [house.deliver(house.ada, name=str(i)) for i in range(3)]
    theirs = house.deliver(house.bob)
    asked = {"ids": [*ids, ids[0], NONE, theirs, "no id"], "isStarred": True}
    answer = house.call("POST", "/mailboxes/me/messages/batchModify", json=asked)
    assert answer.status_code == 200
    assert [m["id"] for m in answer.json()["messages"]] == ids
    assert all(m["isStarred"] for m in answer.json()["messages"])
    assert {r["id"]: r["error"] for r in answer.json()["refused"]} == dict.fromkeys(
        ["no id", NONE, theirs], "NOT_FOUND"
    )
    assert house.get(f"/messages/{theirs}?format=minimal", "bob").json()["isStarred"] is False


def test_deletion_moves_to_trash_then_expunges_then_restores(house: House) -> None:
    m = house.deliver(house.ada)
    answer = house.call("DELETE", f"/messages/{m}")
    assert answer.json()["labelIds"] == ["INBOX", "TRASH"]
    answer = house.call("DELETE", f"/messages/{m}")
    assert answer.json() == {"id": m, "status": "expunged"}
    assert house.get(f"/messages/{m}").status_code == 404
    assert house.call("DELETE", f"/messages/{m}").status_code == 404
    answer = house.call("POST", f"/messages/{m}/restore")
    assert (answer.status_code, answer.json()["id"]) == (200, m)
    assert house.get(f"/messages/{m}").status_code == 200


def test_the_undelete_window_is_the_setting(house: House) -> None:
    m = house.deliver(house.ada)
    house.call("DELETE", f"/messages/{m}")
    house.call("DELETE", f"/messages/{m}")
    events = house.get("/mailboxes/me/history").json()["events"]
    assert events[-1]["type"] == "Expunged"
    assert events[-1]["restorableUntil"] == "2023-12-14T22:13:21.000Z"


@pytest.mark.parametrize("expunged", [False, True])
def test_erasure_is_for_good(house: House, expunged: bool) -> None:
    m = house.deliver(house.ada)
    if expunged:
        house.call("DELETE", f"/messages/{m}")
        house.call("DELETE", f"/messages/{m}")
    answer = house.call("DELETE", f"/messages/{m}?erase=true")
    assert answer.json() == {"id": m, "status": "erased"}
    assert house.call("POST", f"/messages/{m}/restore").status_code == 404
    assert house.call("DELETE", f"/messages/{m}?erase=true").status_code == 404


@pytest.mark.parametrize("query", ["", "?erase=true"])
def test_a_repeated_deletion_with_the_same_key_goes_no_further(house: House, query: str) -> None:
    m = house.deliver(house.ada)
    key = {"Idempotency-Key": "a key"}
    first = house.call("DELETE", f"/messages/{m}{query}", headers=key)
    again = house.call("DELETE", f"/messages/{m}{query}", headers=key)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert house.boxes.known(house.ada.mailbox_id, m) != bool(query)


def test_a_repeated_expunge_with_the_same_key_is_answered_again(house: House) -> None:
    m = house.deliver(house.ada, labels=("TRASH",))
    key = {"Idempotency-Key": "a key"}
    first = house.call("DELETE", f"/messages/{m}", headers=key)
    again = house.call("DELETE", f"/messages/{m}", headers=key)
    assert first.json() == again.json() == {"id": m, "status": "expunged"}
