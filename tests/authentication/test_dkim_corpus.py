"""The Mail::DKIM corpus and the canonicalization corpus."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mail.authentication.canonicalization import Canonicalization
from mail.authentication.dkim import DkimOutcome, DkimPolicy, check_dkim
from mail.authentication.message import Message
from mail.authentication.zone import Zone
from tests.authentication.suites import suite

FOLDER = suite("dkim")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
# Keys of 512 bits and SHA-1 are what these messages of 2005 were signed with: whether a signature
# verifies is one question, whether it is accepted (RFC 8301) another.
OF_ITS_TIME = DkimPolicy(min_rsa_bits=512, allow_sha1=True)


def _zone() -> Zone:
    rows: dict[str, list[object]] = {}
    for line in (FOLDER / "mail-dkim" / "FAKE_DNS.dat").read_text().splitlines():
        name, _, value = line.partition(" ")
        value = value.strip()
        if not value or name.startswith("#") or value == "NXDOMAIN":
            continue
        if "timed out" in value:
            rows[name] = ["TIMEOUT"]
        elif "SERVFAIL" in value:
            rows[name] = [{"RCODE": 2}]
        else:
            rows[name] = [{"TXT": value.strip('"')}]
    return Zone(rows)


ZONE = _zone()
ROWS = [
    line.split("\t")
    for line in (FOLDER / "mail-dkim" / "EXPECTED.tsv").read_text().splitlines()
    if not line.startswith("#")
]
USABLE = [(row[0], row[1]) for row in ROWS if row[5].startswith("use")]
CANONICAL = sorted(
    path.name.removeprefix("email.") for path in (FOLDER / "canonicalization").glob("email.*")
)


def _judge(name: str, policy: DkimPolicy) -> list[DkimOutcome]:
    raw = (FOLDER / "mail-dkim" / "corpus" / name).read_bytes()
    return list(check_dkim(Message(raw), ZONE, now=NOW, policy=policy))


def test_the_corpus_is_not_empty() -> None:
    assert len(ROWS) == 79
    assert len(USABLE) >= 37
    assert len(CANONICAL) == 21


@pytest.mark.parametrize(("name", "expected"), USABLE, ids=[name for name, _ in USABLE])
def test_a_usable_row_is_judged_as_expected(name: str, expected: str) -> None:
    results = {outcome.result for outcome in _judge(name, OF_ITS_TIME)}
    if expected == "pass":
        assert "pass" in results
    elif expected == "fail":
        assert results <= {"fail", "permerror"}
    else:
        assert results <= {"permerror", "policy", "temperror"}


@pytest.mark.parametrize("name", [row[0] for row in ROWS])
def test_what_rfc_8301_forbids_never_passes(name: str) -> None:
    passed = [o for o in _judge(name, DkimPolicy()) if o.result == "pass"]
    assert all(o.algorithm == "ed25519-sha256" for o in passed)


@pytest.mark.parametrize("method", ["simple", "relaxed"])
@pytest.mark.parametrize("number", CANONICAL)
def test_the_canonical_form_is_byte_exact(number: str, method: Canonicalization) -> None:
    folder: Path = FOLDER / "canonicalization"
    message = Message((folder / f"email.{number}").read_bytes())
    header = b"".join(message.canonical_field(field, method) for field in message.fields)
    expected = (folder / f"{method}.expected.{number}").read_bytes()
    assert header + b"\r\n" + message.canonical_body(method) == expected
