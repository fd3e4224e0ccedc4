"""The ARC test suite: validation and sealing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from mail.authentication.arc import check_arc
from mail.authentication.arc_seal import merged_results, seal
from mail.authentication.dkim import DkimPolicy
from mail.authentication.message import Message
from mail.authentication.signing import load_key
from mail.authentication.taglist import parse_tag_list
from mail.authentication.zone import Zone
from mail.fields import split_header
from tests.authentication.suites import suite

FOLDER = suite("arc")


def _cases(name: str) -> list[Any]:
    cases: list[Any] = []
    for document in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")):
        for case, test in document["tests"].items():
            cases.append(pytest.param(document, test, id=f"{document['description']}-{case}"))
    return cases


VALIDATION = _cases("validation-dev.yml")
SIGNING = _cases("signing.yml")


def _zone(document: dict[str, Any]) -> Zone:
    return Zone({name: [{"TXT": text}] for name, text in document["txt-records"].items()})


def test_the_suite_is_not_empty() -> None:
    assert len(VALIDATION) >= 121
    assert len(SIGNING) == 17


@pytest.mark.parametrize(("document", "test"), VALIDATION)
def test_a_chain_has_the_expected_status(document: dict[str, Any], test: dict[str, Any]) -> None:
    message = Message((test["message"] or "").encode())
    outcome = check_arc(message, _zone(document), policy=DkimPolicy())
    # The suite leaves "cv" empty where the newest seal says "fail" already.
    assert outcome.result == (test["cv"].lower() or "fail"), outcome.words


@pytest.mark.parametrize(("document", "test"), SIGNING)
def test_a_seal_is_the_expected_one(document: dict[str, Any], test: dict[str, Any]) -> None:
    raw = test["message"].encode().replace(b"\n", b"\r\n")
    chain = check_arc(Message(raw), _zone(document), policy=DkimPolicy())
    key = load_key(document["domain"], document["sel"], document["privatekey"].encode())
    names = test["sig-headers"].encode().split(b":")
    results = merged_results(raw, test["srv-id"])
    moment = datetime.fromtimestamp(test["t"], UTC)
    sealed = seal(raw, results, chain, key, moment, names)
    if not test["AS"]:
        assert sealed == b""
        return
    fields = {field.name: field.value for field in split_header(sealed).fields}
    for name, expected in ((b"arc-seal", test["AS"]), (b"arc-message-signature", test["AMS"])):
        ours = {tag: found.packed for tag, found in parse_tag_list(fields[name]).items()}
        theirs = {tag: found.packed for tag, found in parse_tag_list(expected.encode()).items()}
        assert ours == theirs
    assert fields[b"arc-authentication-results"].split() == test["AAR"].encode().split()
