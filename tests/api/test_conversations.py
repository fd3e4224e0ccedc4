"""Conversations and contacts as programs read them."""

from __future__ import annotations

import pytest

from tests.api.fakes import House


def test_conversations_are_listed_newest_first_and_paged(house: House) -> None:
    for name in ("one", "two", "three"):
        house.deliver(house.ada, name=name)
        house.clock.advance(1)
    page = house.get("/mailboxes/me/threads?maxResults=2").json()
    assert [t["subject"] for t in page["threads"]] == ["subject of three", "subject of two"]
    rest = house.get(f"/mailboxes/me/threads?maxResults=2&pageToken={page['nextPageToken']}").json()
    assert [t["subject"] for t in rest["threads"]] == ["subject of one"]
    assert rest["nextPageToken"] is None
    assert set(page["threads"][0]) == {
        "id", "subject", "snippet", "participants", "labelIds", "messageCount", "unreadCount",
        "isStarred", "hasAttachments", "firstMessageAt", "lastMessageAt", "seq",
    }  # fmt: skip


def test_a_message_joins_a_conversation_and_leaves_it(house: House) -> None:
    first = house.deliver(house.ada, name="one")
    house.clock.advance(1)
    second = house.deliver(house.ada, name="two")
    thread = house.get(f"/messages/{first}?format=minimal").json()["threadId"]
    moved = house.call("POST", f"/messages/{second}/thread", "ada", json={"threadId": thread})
    assert moved.json()["threadId"] == thread
    found = house.get(f"/threads/{thread}")
    assert [m["id"] for m in found.json()["messages"]] == [first, second]
    assert found.json()["messageCount"] == 2
    assert int(found.headers["x-mailfold-seq"]) >= moved.json()["seq"]
    page = house.get(f"/threads/{thread}?maxResults=1").json()
    assert [m["id"] for m in page["messages"]] == [first]
    rest = house.get(f"/threads/{thread}?maxResults=1&pageToken={page['nextPageToken']}").json()
    assert [m["id"] for m in rest["messages"]] == [second]
    out = house.call("POST", f"/messages/{second}/thread", "ada", json={"threadId": None}).json()
    assert out["threadId"] not in ("", thread)
    assert house.get(f"/threads/{thread}").json()["messageCount"] == 1


@pytest.mark.parametrize(
    "body", [{"threadId": "x"}, {"threadId": "0" * 8 + "-0000" * 3 + "-" + "0" * 12}]
)
def test_a_conversation_that_is_not_there_takes_no_message(house: House, body: object) -> None:
    m = house.deliver(house.ada)
    answer = house.call("POST", f"/messages/{m}/thread", "ada", json=body)
    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "query", ["/mailboxes/me/threads?pageToken=no", "/mailboxes/me/threads?at=yesterday"]
)
def test_a_mistake_is_told(house: House, query: str) -> None:
    answer = house.get(query)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")


def test_a_token_that_may_read_moves_nothing(house: House) -> None:
    m = house.deliver(house.ada)
    assert house.call("POST", f"/messages/{m}/thread", "reader", json={}).status_code == 403


def test_contacts_are_found_by_how_they_begin(house: House) -> None:
    house.deliver(house.ada)
    found = house.get("/mailboxes/me/contacts?q=bo").json()["contacts"]
    assert [(c["email"], c["name"], c["messages"]) for c in found] == [("bob@other.test", "Bob", 1)]
    assert found[0]["lastMessageAt"].endswith("Z")
    assert house.get("/mailboxes/me/contacts?q=zoe").json() == {"contacts": []}
