from __future__ import annotations

import pytest

from tests.api.fakes import House


def test_a_login_gives_a_token_that_works(house: House) -> None:
    asked = {"email": "ada@example.test", "password": "secret"}
    answer = house.call("POST", "/login", None, json=asked)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"token", "expiresAt", "mailboxId"}
    assert body["mailboxId"] == house.ada.mailbox_id
    assert body["expiresAt"] == "2023-12-14T22:13:20.000Z"
    assert answer.headers["cache-control"] == "no-store"
    assert house.get("/mailboxes/me", body["token"]).status_code == 200


def test_a_token_that_has_expired_is_401(house: House) -> None:
    house.clock.advance(2 * 86_400)
    assert house.get("/mailboxes/me").status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_has_no_case(house: House, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {house.tokens['ada']}"}
    assert house.get("/mailboxes/me", None, headers=headers).status_code == 200


def test_requests_of_an_account_are_limited_over_all_its_tokens() -> None:
    house = House({"requests": 2})
    try:
        assert house.get("/mailboxes/me", "ada").status_code == 200
        assert house.get("/mailboxes/me", "reader").status_code == 200
        answer = house.get("/mailboxes/me", "ada")
        assert (answer.status_code, answer.json()["error"]) == (429, "RATE_LIMITED")
        assert answer.headers["retry-after"] == "60"
        assert house.get("/mailboxes/me", "bob").status_code == 200
        assert house.get("/healthz", None).status_code == 200
    finally:
        house.close()


def test_requests_without_a_right_token_are_limited_by_client() -> None:
    house = House({"requests": 1})
    try:
        assert house.get("/mailboxes/me", "guess").status_code == 401
        assert house.get("/mailboxes/me", "another").status_code == 429
    finally:
        house.close()


def test_logins_are_limited_by_account_and_by_client() -> None:
    house = House({"logins": 1})
    try:
        asked = {"email": "ADA@example.test", "password": "no"}
        assert house.call("POST", "/login", None, json=asked).status_code == 401
        assert house.call("POST", "/login", None, json=asked).status_code == 429
        assert house.limits.hits["logins", "account ada@example.test"] == 1
        assert house.limits.hits["logins", "client 127.0.0.1"] == 2
    finally:
        house.close()
