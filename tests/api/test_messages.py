from __future__ import annotations

import threading

import pytest

from schemas.parts import PartSummary
from tests.api.fakes import House

RAW = (
    b"Received: from a\r\nReceived: from b\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n"
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n"
    b"--y\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\ncaf\xe9\r\n"
    b"--y\r\nContent-Type: text/html\r\n\r\n<p>caf&eacute;\r\n--y--\r\n"
    b"--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n"
    b"--x\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--x--\r\n"
)
LISTED = {
    "id",
    "threadId",
    "labelIds",
    "snippet",
    "from",
    "to",
    "subject",
    "date",
    "receivedAt",
    "isRead",
    "isStarred",
    "hasAttachments",
    "sizeBytes",
    "seq",
}
ATTACHED = (PartSummary(section="3", filename="a.txt", content_type="text/plain", size=5),)


def test_a_mailbox_has_address_counts_and_quota(house: House) -> None:
    house.deliver(house.ada)
    answer = house.get("/mailboxes/me")
    assert answer.json() == {
        "id": house.ada.mailbox_id,
        "address": "ada@example.test",
        "counts": {"messages": 1, "unread": 1},
        "quota": {"usedBytes": 24, "limitBytes": 1000},
        "seq": 3,
    }
    assert answer.headers["x-mailfold-seq"] == "3"
    assert house.get("/mailboxes").json() == {"mailboxes": [answer.json()]}
    assert house.get(f"/mailboxes/{house.ada.mailbox_id}").json() == answer.json()


def test_a_list_has_the_shape_of_the_interface(house: House) -> None:
    m = house.deliver(house.ada)
    answer = house.get("/mailboxes/me/messages")
    assert set(answer.json()) == {"messages", "nextPageToken", "resultSizeEstimate"}
    (message,) = answer.json()["messages"]
    assert set(message) == LISTED
    assert message["id"] == m
    assert message["labelIds"] == ["INBOX"]
    assert message["from"] == {"email": "bob@other.test", "name": "Bob"}
    assert message["to"] == [{"email": "ada@example.test", "name": ""}]
    assert message["receivedAt"] == message["date"] == "2023-11-14T22:13:20.000Z"
    assert (message["isRead"], message["isStarred"], message["hasAttachments"]) == (False,) * 3
    assert (message["sizeBytes"], message["seq"]) == (24, 3)
    assert answer.headers["x-mailfold-seq"] == "3"


def test_pages_are_followed_to_the_end_newest_first(house: House) -> None:
    ids = [house.deliver(house.ada, name=str(i)) for i in range(5)]
    seen: list[str] = []
    token = ""
    while token is not None:
        answer = house.get(f"/mailboxes/me/messages?maxResults=2&pageToken={token}").json()
        seen += [m["id"] for m in answer["messages"]]
        token = answer["nextPageToken"]
        assert answer["resultSizeEstimate"] == 5
    assert seen == ids[::-1]


def test_lists_are_narrowed_by_labels_spam_and_time(house: House) -> None:
    inbox = house.deliver(house.ada, name="inbox")
    spam = house.deliver(house.ada, name="spam", labels=("SPAM",))

    def ids(query: str) -> list[str]:
        answer = house.get(f"/mailboxes/me/messages?{query}")
        return [m["id"] for m in answer.json()["messages"]]

    assert ids("") == [inbox]
    assert ids("labelIds=SPAM") == [spam]
    assert ids("includeSpam=true") == [spam, inbox]
    assert ids("labelIds=INBOX&labelIds=SPAM") == []
    assert ids("labelIds=INBOX,SPAM") == []
    assert ids("includeSpam=true&at=2023-11-14T22:13:20Z") == [inbox]
    assert ids("includeSpam=true&at=2023-11-14T23:13:20.5%2B01:00") == [inbox]
    assert ids("includeSpam=true&at=2023-11-14T22:13:19.999Z") == []


def test_minimal_leaves_the_header_out(house: House) -> None:
    m = house.deliver(house.ada)
    found = house.get(f"/messages/{m}?format=minimal").json()
    assert set(found) == LISTED - {"from", "to", "subject", "date"}


def test_metadata_adds_the_header(house: House) -> None:
    m = house.deliver(house.ada, RAW)
    found = house.get(f"/messages/{m}?format=metadata").json()
    assert set(found) == LISTED | {"headers"}
    assert found["headers"] == {
        "return-path": "<bob@other.test>",
        "received": ["from a", "from b"],
        "subject": "café",
        "content-type": "multipart/mixed; boundary=x",
    }


def test_full_is_the_default_and_has_all(house: House) -> None:
    m = house.deliver(house.ada, RAW, attachments=ATTACHED)
    answer = house.get(f"/messages/{m}")
    found = answer.json()
    more = {"headers", "body", "attachments", "authentication", "spam"}
    assert set(found) == LISTED | more
    assert found == house.get(f"/messages/{m}?format=full").json()
    assert found["body"] == {"text": "café", "html": "<p>caf&eacute;"}
    assert found["attachments"] == [
        {"id": "2", "filename": "", "mimeType": "message/rfc822", "size": 28},
        {"id": "3", "filename": "a.txt", "mimeType": "text/plain", "size": 5},
    ]
    assert found["authentication"] == {
        "spf": {"result": "pass", "domain": "other.test", "reason": "192.0.2.1 may send"},
        "dkim": [
            {"result": "fail", "domain": "other.test", "selector": "s", "reason": "body-hash"}
        ],
        "dmarc": {
            "result": "pass",
            "domain": "other.test",
            "policy": "reject",
            "disposition": "none",
            "reason": "aligned",
        },
        "arc": {"result": "none", "reason": ""},
    }
    assert found["spam"] == {"verdict": "ham", "probability": 0.25, "reasons": ["nothing"]}
    assert answer.headers["x-mailfold-seq"] == "3"


@pytest.mark.parametrize(
    ("raw", "between"),
    [
        (RAW, b""),
        (b"", b""),
        # Text without a header must not be read as one: an empty line goes before it.
        (b"\x00\xff\r\n\r\n.\r\n", b"\r\n"),
        (b"a: b\nno CR\n", b""),
    ],
)
def test_original_is_what_came_and_raw_has_our_trace_on_top(
    house: House, raw: bytes, between: bytes
) -> None:
    m = house.deliver(house.ada, raw)
    original = house.get(f"/messages/{m}?format=original")
    shown = house.get(f"/messages/{m}?format=raw")
    assert original.content == raw
    assert shown.content == b"Return-Path: <bob@other.test>\r\n" + between + raw
    assert original.headers["content-type"] == shown.headers["content-type"] == "message/rfc822"


def test_a_large_message_is_taken_apart_too(house: House) -> None:
    m = house.deliver(house.ada, b"Subject: x\r\n\r\n" + b"y" * 100_000)
    assert house.parts.parts
    assert len(house.get(f"/messages/{m}").json()["body"]["text"]) == 100_000


def test_a_message_without_its_large_part_is_404(house: House) -> None:
    m = house.deliver(house.ada, b"Subject: x\r\n\r\n" + b"y" * 100_000)
    house.parts.parts.clear()
    assert house.get(f"/messages/{m}").status_code == 404


def test_html_alone_gives_its_text_too(house: House) -> None:
    m = house.deliver(house.ada, b"Content-Type: text/html\r\n\r\n<p>a <b>b</b>")
    body = house.get(f"/messages/{m}").json()["body"]
    assert (body["text"].strip(), body["html"]) == ("a b", "<p>a <b>b</b>")


def test_a_message_whose_content_is_erased_is_404(house: House) -> None:
    m = house.deliver(house.ada)
    row, _ = house.boxes.get(house.ada.mailbox_id, m)
    assert row is not None
    house.keys.destroy([row.mail_id])
    assert house.get(f"/messages/{m}").status_code == 404


def test_a_read_waits_for_the_seq_it_asks_for(house: House) -> None:
    late = threading.Timer(0.05, lambda: house.deliver(house.ada))
    late.start()
    answer = house.get("/mailboxes/me/messages?minSeq=3")
    late.join()
    assert len(answer.json()["messages"]) == 1
    assert answer.headers["x-mailfold-seq"] == "3"


def test_a_read_of_a_seq_that_does_not_come_answers_what_there_is() -> None:
    house = House(wait=0.01)
    try:
        answer = house.get("/mailboxes/me?minSeq=7")
        assert (answer.status_code, answer.headers["x-mailfold-seq"]) == (200, "0")
    finally:
        house.close()
