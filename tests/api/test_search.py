from __future__ import annotations

import threading

from api.rest.search import SEARCHES
from tests.api.fakes import House


def _search(house: House, q: str, who: str = "ada", **more: object):
    return house.get("/mailboxes/me/messages", who, params={"q": q, **more})


def test_a_query_lists_what_it_finds_with_its_snippet_cut_at_the_matches(house: House) -> None:
    house.deliver(house.ada, name="lunch")
    found = house.deliver(house.ada, name="text")
    answer = _search(house, "text")
    assert answer.status_code == 200
    (message,) = answer.json()["messages"]
    assert message["id"] == found
    assert message["snippetParts"] == ["the ", "text", " of it"]
    assert message["snippet"] == "the text of it"
    assert answer.json()["resultSizeEstimate"] == 1
    assert answer.json()["nextPageToken"] is None


def test_a_message_that_matches_elsewhere_keeps_its_snippet(house: House) -> None:
    house.deliver(house.ada, name="lunch")
    (message,) = _search(house, "lunch").json()["messages"]
    assert (message["snippet"], message["snippetParts"]) == ("text", ["text"])


def test_a_list_without_a_query_has_no_parts(house: House) -> None:
    house.deliver(house.ada)
    for q in ("", "  "):
        (message,) = _search(house, q).json()["messages"]
        assert "snippetParts" not in message


def test_labels_and_spam_go_with_the_query(house: House) -> None:
    spam = house.deliver(house.ada, name="spam", labels=("SPAM",))
    assert _search(house, "spam").json()["messages"] == []
    for more in ({"labelIds": "SPAM"}, {"includeSpam": "true"}):
        assert [m["id"] for m in _search(house, "spam", **more).json()["messages"]] == [spam]


def test_a_mistake_is_told_with_its_place(house: House) -> None:
    answer = _search(house, "lunch form:bob")
    assert answer.status_code == 400
    assert answer.json()["error"] == "INVALID_REQUEST"
    assert answer.json()["message"].startswith("q: at character 7: ")


def test_a_query_of_the_past_or_with_a_token_of_another_list_is_refused(house: House) -> None:
    assert _search(house, "x", at="2026-01-01T00:00:00Z").status_code == 400
    assert _search(house, "x", pageToken="nonsense").status_code == 400


def test_searches_have_a_limit_of_their_own() -> None:
    house = House({SEARCHES: 2})
    try:
        house.deliver(house.ada)
        assert [_search(house, "one").status_code for _ in range(3)] == [200, 200, 429]
        assert _search(house, "one", who="bob").status_code == 200
        assert house.get("/mailboxes/me/messages").status_code == 200
    finally:
        house.close()


def test_the_answer_states_the_head_of_the_index(house: House) -> None:
    house.deliver(house.ada)
    house.search.behind = 2
    answer = _search(house, "one")
    assert answer.headers["x-mailfold-seq"] == str(house.boxes.head(house.ada.mailbox_id) - 2)


def test_min_seq_waits_for_the_index(house: House) -> None:
    house.deliver(house.ada)
    house.search.behind = 1
    head = house.boxes.head(house.ada.mailbox_id)

    def follow() -> None:
        house.search.behind = 0
        house.wake.notify("view")

    timer = threading.Timer(0.1, follow)
    timer.start()
    answer = _search(house, "one", minSeq=head)
    timer.join()
    assert answer.headers["x-mailfold-seq"] == str(head)
