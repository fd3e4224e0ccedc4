"""The DMARC cases: zone, message, envelope, and what is expected."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.authentication.kit import judge, key_for, keys_of, signed, spf_for, zone

FILES = sorted((Path(__file__).parent / "dmarc").glob("*.yaml"))


def _cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{path.stem}-{case['name']}".replace(" ", "_"))
        for path in FILES
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


CASES = _cases()


def test_there_are_enough_cases_and_each_names_its_section() -> None:
    assert len(CASES) >= 120
    for case in CASES:
        assert re.search(r"RFC \d+|appendix", case.values[0]["rfc"]), case.id
    assert len({case.id for case in CASES}) == len(CASES)


def _message(case: dict[str, Any]) -> bytes:
    header = case.get("header")
    if header is None:
        header = f"From: {case['from']}\nTo: bob@receiver.test\nSubject: hello\n"
    raw = (header + "\nHello.\n").encode().replace(b"\n", b"\r\n")
    return signed(raw, *case.get("signed_by", []))


@pytest.mark.parametrize("case", CASES)
def test_a_message_is_judged_as_the_standard_says(case: dict[str, Any]) -> None:
    signers = case.get("signed_by", [])
    keys = keys_of(*signers) if case.get("keys", True) else {}
    if "key_flags" in case:
        flags = case["key_flags"]
        keys = {
            name: [{"TXT": key_for(signer).record().replace("v=DKIM1;", f"v=DKIM1; {flags};")}]
            for name, signer in zip(keys, signers, strict=True)
        }
    answers = zone(
        case["zone"],
        keys,
        spf_for(case.get("spf_pass", [])),
        {name: [{"A": "192.0.2.80"}] for name in case.get("exists", [])},
    )
    judged = judge(
        _message(case),
        answers,
        mail_from=case.get("mail_from", "bounce@unrelated.test"),
        helo=case.get("helo", "client.unrelated.test"),
    )
    outcome = judged.verdict.dmarc
    for field, expected in case["expect"].items():
        assert getattr(outcome, field) == expected, (field, outcome)
