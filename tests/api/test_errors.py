"""Every error has one shape, whoever raises it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from api.rest.errors import CODES
from infra.ports import EngineDown
from tests.api.fakes import House

NONE = "00000000-0000-4000-8000-000000000000"

CASES: list[tuple[str, str, str | None, dict[str, Any], int]] = [
    ("GET", "/nothing", None, {}, 404),
    ("GET", "/mailboxes/", "ada", {}, 404),
    ("PUT", "/mailboxes", "ada", {}, 405),
    ("GET", "/mailboxes", None, {}, 401),
    ("GET", "/mailboxes", "no such token", {}, 401),
    ("GET", "/mailboxes", None, {"headers": {"Authorization": "Basic YTpi"}}, 401),
    ("GET", "/mailboxes", None, {"headers": {"Authorization": "Bearer"}}, 401),
    ("GET", "/mailboxes/me/messages?maxResults=many", "ada", {}, 400),
    ("GET", "/mailboxes/me/messages?maxResults=501", "ada", {}, 400),
    ("GET", "/mailboxes/me/messages?pageToken=%00", "ada", {}, 400),
    ("GET", "/mailboxes/me/messages?at=yesterday", "ada", {}, 400),
    ("GET", "/mailboxes/me/messages?at=2026-01-31T12:00:00", "ada", {}, 400),
    ("GET", "/mailboxes/me/messages?q=larger:word", "ada", {}, 400),
    ("GET", "/mailboxes/me/history?since=-1", "ada", {}, 400),
    ("GET", "/mailboxes/me?minSeq=99999999999999999999", "ada", {}, 400),
    ("GET", f"/messages/{NONE}", "ada", {}, 404),
    ("GET", f"/messages/{NONE}?format=everything", "ada", {}, 400),
    ("GET", "/messages/%00%ff", "ada", {}, 404),
    ("POST", "/login", None, {"content": b"{"}, 400),
    ("POST", "/login", None, {"content": b"\xff\xfe"}, 400),
    ("POST", "/login", None, {"content": b"[" * 100_000}, 400),
    ("POST", "/login", None, {"json": {"email": 1, "password": "x"}}, 400),
    ("POST", "/login", None, {"json": {"email": "ada@example.test"}}, 400),
    ("POST", "/login", None, {"json": {"email": "a", "password": "b", "more": 1}}, 400),
    ("POST", "/login", None, {"json": {"email": "ada@example.test", "password": "no"}}, 401),
    ("POST", f"/messages/{NONE}/modify", "ada", {"json": {"isRead": True}}, 404),
    ("POST", f"/messages/{NONE}/modify", "reader", {"json": {"isRead": True}}, 403),
    ("POST", "/mailboxes/me/labels", "reader", {"json": {"name": "x"}}, 403),
    ("POST", "/mailboxes/me/messages/batchModify", "ada", {"json": {"ids": []}}, 400),
    (
        "POST",
        "/mailboxes/me/messages/batchModify",
        "ada",
        {"json": {"ids": [NONE] * 1001, "isRead": True}},
        400,
    ),
    (
        "POST",
        f"/messages/{NONE}/modify",
        "ada",
        {"json": {}, "headers": {"If-Match": "soon"}},
        400,
    ),
    (
        "POST",
        f"/messages/{NONE}/modify",
        "ada",
        {"json": {}, "headers": {"Idempotency-Key": "k" * 256}},
        400,
    ),
]


@pytest.mark.parametrize(("method", "path", "who", "more", "status"), CASES)
def test_an_error_has_its_status_code_and_shape(
    house: House, method: str, path: str, who: str | None, more: dict[str, Any], status: int
) -> None:
    answer = house.call(method, path, who, **more)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error", "message", "requestId"}
    assert body["error"] == CODES[status]
    assert body["message"]
    assert body["requestId"] == answer.headers["x-request-id"]


def test_a_challenge_comes_with_401(house: House) -> None:
    assert house.get("/mailboxes", None).headers["www-authenticate"] == "Bearer"


def test_405_names_the_methods_that_work(house: House) -> None:
    assert house.call("PUT", "/mailboxes").headers["allow"] == "GET"
    assert house.call("PUT", f"/messages/{NONE}").headers["allow"] == "DELETE, GET"
    answer = house.call("PUT", "/mailboxes/me/labels/x")
    assert answer.headers["allow"] == "DELETE, PATCH"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_413(chunked: bool) -> None:
    house = House(max_body_bytes=1000)

    async def chunks() -> Any:
        for _ in range(20):
            yield b" " * 100

    try:
        answer = house.call("POST", "/login", None, content=chunks() if chunked else b" " * 1001)
        assert (answer.status_code, answer.json()["error"]) == (413, "ATTACHMENT_TOO_LARGE")
    finally:
        house.close()


def test_an_engine_that_is_down_is_503(house: House) -> None:
    house.log.down = True
    m = house.deliver(house.ada)
    answer = house.call("POST", f"/messages/{m}/modify", json={"isRead": True})
    assert (answer.status_code, answer.json()["error"]) == (503, "SERVICE_UNAVAILABLE")
    assert answer.headers["retry-after"] == "2"


def test_a_defect_is_500_and_its_text_stays_out_of_answer_and_log(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(mailbox_id: str) -> int:
        raise LookupError("canary")

    monkeypatch.setattr(house.boxes, "counts", broken)
    with caplog.at_level(logging.ERROR):
        answer = house.get("/mailboxes/me")
    assert (answer.status_code, answer.json()["error"]) == (500, "INTERNAL_ERROR")
    assert "canary" not in answer.text + caplog.text
    assert "LookupError" in caplog.text
    assert answer.json()["requestId"] in caplog.text


def test_readiness_names_what_is_missing(house: House) -> None:
    assert house.get("/readyz", None).status_code == 200
    house.log.down = house.directory.down = True
    answer = house.get("/readyz", None)
    assert (answer.status_code, answer.json()["error"]) == (503, "SERVICE_UNAVAILABLE")
    assert answer.json()["message"] == "missing: log, directory"
    assert house.get("/healthz", None).json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_health_is_also_at_the_root(house: House, path: str) -> None:
    assert house.get(f"http://api.test{path}", None).status_code == 200


def test_measures_count_requests_by_route(house: House) -> None:
    house.get("/mailboxes/me")
    house.get("/nothing")
    text = house.get("/metrics", None).text
    assert 'mailfold_http_requests_total{method="GET",route="/mailboxes/{mailboxId}"' in text
    assert 'mailfold_http_requests_total{method="",route="",status="404"} 1.0' in text
    assert "mailfold_lag_messages 3.0" in text
    assert "mailfold_queue_messages 4.0" in text
    assert "mailfold_queue_held_messages 1.0" in text
    assert "mailfold_queue_oldest_seconds" in text


def test_a_queue_that_cannot_be_read_takes_no_other_measure_away(house: House) -> None:
    house.backlogs.down = True
    text = house.get("/metrics", None).text
    assert "mailfold_queue_messages NaN" in text
    assert "mailfold_lag_messages 3.0" in text


def test_an_unreachable_directory_refuses_rather_than_lets_in(house: House) -> None:
    house.directory.down = True
    assert house.get("/mailboxes").status_code == 503
    assert issubclass(EngineDown, Exception)
