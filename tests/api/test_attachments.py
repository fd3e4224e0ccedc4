from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from api.rest.attachments import disposition
from tests.api.fakes import House
from tests.api.test_messages import ATTACHED, RAW


def signed(house: House, m: str) -> str:
    answer = house.get(f"/messages/{m}/attachments/3")
    assert answer.status_code == 307, answer.text
    return f"http://api.test{answer.headers['location']}"


def test_an_attachment_is_behind_a_signed_url_that_takes_no_token(house: House) -> None:
    m = house.deliver(house.ada, RAW, attachments=ATTACHED)
    answer = house.get(signed(house, m), None)
    assert (answer.status_code, answer.content) == (200, b"hello")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a.txt"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")


def test_a_signed_url_is_good_for_fifteen_minutes(house: House) -> None:
    m = house.deliver(house.ada, RAW, attachments=ATTACHED)
    url = signed(house, m)
    house.clock.advance(15 * 60 - 1)
    assert house.get(url, None).status_code == 200
    house.clock.advance(1)
    assert house.get(url, None).status_code == 403


def test_nothing_of_a_signed_url_can_be_changed(house: House) -> None:
    m = house.deliver(house.ada, RAW, attachments=ATTACHED)
    other = house.deliver(house.ada, RAW, name="other", attachments=ATTACHED)
    url = urlsplit(signed(house, m))
    query = {k: v[0] for k, v in parse_qs(url.query).items()}
    changes = [
        {"expires": str(int(query["expires"]) + 1)},
        {"mailbox": house.bob.mailbox_id},
        {"signature": "0" * 64},
        {"signature": "é"},
    ]
    for change in changes:
        path = f"http://api.test{url.path}?{urlencode({**query, **change})}"
        assert house.get(path, None).status_code == 403, change
    path = f"http://api.test{url.path.replace(m, other)}?{url.query}"
    assert house.get(path, None).status_code == 403


def test_a_signed_url_ends_with_its_message(house: House) -> None:
    m = house.deliver(house.ada, RAW, attachments=ATTACHED)
    url = signed(house, m)
    house.call("DELETE", f"/messages/{m}?erase=true")
    assert house.get(url, None).status_code == 404


@pytest.mark.parametrize("section", ["9", "1.1", "%2e%2e", "3%20"])
def test_what_is_no_attachment_is_404(house: House, section: str) -> None:
    m = house.deliver(house.ada, RAW, attachments=ATTACHED)
    assert house.get(f"/messages/{m}/attachments/{section}").status_code == 404


def test_a_strange_type_is_not_repeated_to_a_browser(house: House) -> None:
    raw = RAW.replace(b"text/plain\r\nContent-Disp", b"a b/c(d\r\nContent-Disp")
    m = house.deliver(house.ada, raw, attachments=ATTACHED)
    answer = house.get(signed(house, m), None)
    assert answer.content == b"hello"
    assert answer.headers["content-type"] in (
        "application/octet-stream",
        "text/plain; charset=utf-8",
    )


@pytest.mark.parametrize(
    ("filename", "said"),
    [
        ("a b.txt", "a%20b.txt"),
        ("../../etc/x", ".._.._etc_x"),
        ("a\r\nb", "a__b"),
        ("", "attachment"),
        ("naïve.pdf", "na%C3%AFve.pdf"),
        ('"', "%22"),
    ],
)
def test_a_filename_is_safe_in_a_header(filename: str, said: str) -> None:
    assert disposition(filename) == f"attachment; filename*=UTF-8''{said}"
