"""What is done with a message because of DMARC."""

from __future__ import annotations

import pytest

from mail.authentication.handling import handling, refusal
from tests.authentication.kit import PLAIN, judge, keys_of, signed, zone


@pytest.mark.parametrize(
    ("record", "may_reject", "expected"),
    [
        ("v=DMARC1; p=none", True, "accept"),
        ("v=DMARC1; p=quarantine", True, "quarantine"),
        ("v=DMARC1; p=reject", True, "reject"),
        ("v=DMARC1; p=reject", False, "quarantine"),
        ("v=DMARC1; p=reject; t=y", True, "quarantine"),
        ("no record", True, "accept"),
    ],
)
def test_a_failure_is_handled_by_policy_and_setting(
    record: str, may_reject: bool, expected: str
) -> None:
    dmarc = judge(PLAIN, zone({"_dmarc.example.com": record})).verdict.dmarc
    assert handling(dmarc, may_reject=may_reject) == expected


def test_a_pass_is_accepted() -> None:
    data = zone({"_dmarc.example.com": "v=DMARC1; p=reject"}, keys_of("example.com"))
    dmarc = judge(signed(PLAIN, "example.com"), data).verdict.dmarc
    assert handling(dmarc, may_reject=True) == "accept"


def test_dns_that_fails_rejects_nothing() -> None:
    dmarc = judge(PLAIN, zone({"_dmarc.example.com": ["TIMEOUT"]})).verdict.dmarc
    assert handling(dmarc, may_reject=True) == "accept"


def test_a_refusal_names_the_policy() -> None:
    dmarc = judge(PLAIN, zone({"_dmarc.example.com": "v=DMARC1; p=reject"})).verdict.dmarc
    assert refusal(dmarc) == "Email rejected per DMARC policy for example.com"
