"""The SPF test suites of RFC 7208 and RFC 4408, whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from mail.authentication.spf import check_spf
from mail.authentication.zone import Zone
from tests.authentication.suites import suite

FOLDER = suite("spf")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SUITES = {"rfc7208-tests.yml": 203, "rfc4408-tests.yml": 191}


def _cases() -> list[Any]:
    cases: list[Any] = []
    for name in SUITES:
        text = (FOLDER / name).read_text(encoding="utf-8")
        for document in yaml.safe_load_all(text):
            for case, test in ((document or {}).get("tests") or {}).items():
                label = f"{name[:7]}-{document['description']}-{case}"
                cases.append(pytest.param(document["zonedata"], test, id=label))
    return cases


CASES = _cases()


def test_both_suites_are_read_whole() -> None:
    assert len(CASES) == sum(SUITES.values())


@pytest.mark.parametrize(("zonedata", "test"), CASES)
def test_the_result_is_one_that_the_suite_accepts(
    zonedata: dict[str, object], test: dict[str, Any]
) -> None:
    outcome = check_spf(
        test["host"],
        test["helo"],
        test["mailfrom"],
        Zone(zonedata),
        receiver="receiver.example",
        now=NOW,
    )
    accepted = test["result"] if isinstance(test["result"], list) else [test["result"]]
    assert outcome.result in accepted, outcome.words
    explanation = test.get("explanation")
    if explanation and outcome.result == "fail":
        assert outcome.explanation == ("" if explanation == "DEFAULT" else explanation)
