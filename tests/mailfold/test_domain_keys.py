"""`mailfold domain keys`: keys made, stored, published as DNS records and rotated."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from infra.directory.domain_keys import SqlDomainKeys
from infra.directory.sql import SqlDirectory
from infra.ports import DirectoryError
from infra.sqlite.keys import SqliteKeys
from mail.authentication.rotation import KEPT, LEAD
from mail.authentication.signing import sign
from mailfold.cli.accounts import domain
from mailfold.domain_keys import KeyLost, Keyring
from tests.authentication.kit import PLAIN, judge, zone
from tests.fakes import FakeClock, FakeRandom

PRIVATE = (b"PRIVATE KEY", b"MIIEv", b"MC4CAQAwBQYDK2Vw")
"""What begins a private key: its PEM label, and base64 of PKCS #8 by type."""


class Rig:
    """A keyring over files, its clock moved by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.random = FakeRandom()
        url = f"sqlite:///{folder}/accounts.db"
        self.directory = SqlDirectory(url, self.clock)
        self.stored = SqlDomainKeys(url, self.clock)
        self.keys = SqliteKeys(folder / "keys.db", self.random)
        self.ring = Keyring(self.stored, self.keys, self.clock, self.random)
        self.directory.add_domain("example.com")

    def states(self) -> list[tuple[str, str]]:
        return [(one.key.kind, one.state) for one in self.ring.listing("example.com")]

    def close(self) -> None:
        self.keys.close()
        self.stored.close()
        self.directory.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


def test_a_message_signed_with_them_verifies_by_what_is_published(rig: Rig) -> None:
    rig.ring.make("Example.COM")
    published = zone({one.name: one.record for one in rig.ring.listing("example.com")})
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    raw = sign(PLAIN, rig.ring.signing("example.com"), moment) + PLAIN
    found = judge(raw, published).verdict.dkim
    assert sorted((one.algorithm, one.result) for one in found) == [
        ("ed25519-sha256", "pass"),
        ("rsa-sha256", "pass"),
    ]


def test_they_are_made_once(rig: Rig) -> None:
    rig.ring.make("example.com")
    before = rig.ring.listing("example.com")
    rig.ring.make("example.com")
    assert rig.ring.listing("example.com") == before


def test_a_rotated_key_signs_later_and_the_old_one_is_emptied_in_the_end(rig: Rig) -> None:
    rig.ring.make("example.com")
    first = rig.ring.signing("example.com")
    rig.ring.rotate("example.com")
    assert [state for _, state in rig.states()].count("next") == 2
    assert {k.selector for k in rig.ring.signing("example.com")} == {k.selector for k in first}
    rig.clock.now += LEAD
    assert not {k.selector for k in rig.ring.signing("example.com")} & {k.selector for k in first}
    rig.clock.now += KEPT
    emptied = [one for one in rig.ring.listing("example.com") if one.state == "empty"]
    assert {one.key.selector for one in emptied} == {k.selector for k in first}
    assert all(one.record.endswith("p=") for one in emptied)
    # A verifier is told that the key was revoked (RFC 6376 section 3.6.1).
    raw = sign(PLAIN, first[:1], datetime(2026, 3, 1, tzinfo=UTC)) + PLAIN
    verdict = judge(raw, zone({one.name: one.record for one in emptied})).verdict
    assert verdict.dkim[0].reason.value == "dkim_key_revoked"


def test_an_emptied_key_cannot_be_opened_from_a_copy_of_the_database(rig: Rig) -> None:
    rig.ring.make("example.com")
    copied = rig.stored.of("example.com")
    rig.ring.rotate("example.com")
    rig.clock.now += LEAD + KEPT
    rig.ring.listing("example.com")
    assert rig.keys.destroyed([key.key_id for key in copied]) == {key.key_id for key in copied}
    kept = [key for key in rig.stored.of("example.com") if not key.sealed]
    assert {key.selector for key in kept} == {key.selector for key in copied}


def test_a_selector_is_never_used_again(rig: Rig) -> None:
    rig.ring.make("example.com")
    for _ in range(2):
        rig.ring.rotate("example.com")
    selectors = [one.key.selector for one in rig.ring.listing("example.com")]
    assert len(set(selectors)) == len(selectors) == 6
    with pytest.raises(DirectoryError):
        rig.stored.add(rig.stored.of("example.com")[:1])


def test_private_keys_are_in_no_file_in_the_clear(rig: Rig) -> None:
    rig.ring.make("example.com")
    key = rig.ring.signing("example.com")[0]
    body = b"".join(key.to_pem().splitlines()[1:-1])
    assert load_pem_private_key(key.to_pem(), None)
    rig.close()
    kept = b"".join(path.read_bytes() for path in rig.folder.iterdir() if path.is_file())
    assert not any(mark in kept for mark in (*PRIVATE, body[:40], body[-40:]))


def test_a_key_whose_seal_is_gone_is_told_and_names_what_to_do(rig: Rig) -> None:
    rig.ring.make("example.com")
    rig.keys.destroy([rig.stored.of("example.com")[0].key_id])
    with pytest.raises(KeyLost, match="domain keys"):
        rig.ring.signing("example.com")


# -- the command


def _run(*arguments: str) -> Result:
    result = CliRunner().invoke(domain, list(arguments))
    assert not any(mark.decode() in result.output for mark in PRIVATE)
    return result


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MAILFOLD_DATA", str(tmp_path / "data"))
    assert _run("add", "bücher.test").exit_code == 0


def _documents(*arguments: str) -> list[dict[str, Any]]:
    result = _run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


@pytest.mark.usefixtures("installed")
def test_the_records_are_lines_of_a_zone_file() -> None:
    first, again = (_run("keys", "bücher.test") for _ in range(2))
    assert first.exit_code == 0, first.output
    assert first.output == again.output
    lines = [line for line in first.output.splitlines() if not line.startswith("; ")]
    day = f"{datetime.fromtimestamp(time.time(), UTC):%Y%m}"
    assert [line.split("._domainkey.")[1].split(" ")[0] for line in lines] == [
        "xn--bcher-kva.test.",
        "xn--bcher-kva.test.",
    ]
    assert all(line.startswith(day) and "IN TXT (" in line for line in lines)
    assert all(len(string) <= 255 for line in lines for string in line.split('"')[1::2])


@pytest.mark.usefixtures("installed")
def test_a_listing_makes_no_keys() -> None:
    assert _documents("keys", "bücher.test", "--list") == []
    _run("keys", "bücher.test")
    assert {one["algorithm"] for one in _documents("keys", "bücher.test", "--list")} == {
        "rsa",
        "ed25519",
    }


@pytest.mark.usefixtures("installed")
def test_rotation_adds_keys_that_sign_later() -> None:
    before = _documents("keys", "bücher.test")
    after = _documents("keys", "bücher.test", "--rotate")
    assert [one["state"] for one in before] == ["signing"] * 2
    assert sorted(one["state"] for one in after) == ["next", "next", "signing", "signing"]
    assert set(after[0]) == {
        "selector", "algorithm", "state", "created", "name", "type", "value",
    }  # fmt: skip


@pytest.mark.usefixtures("installed")
def test_keys_of_a_removed_domain_are_gone() -> None:
    before = {one["value"] for one in _documents("keys", "bücher.test")}
    assert _run("remove", "bücher.test").exit_code == 0
    assert _run("add", "bücher.test").exit_code == 0
    assert not before & {one["value"] for one in _documents("keys", "bücher.test")}


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["other.test"], 1), (["no domain"], 1), (["bücher.test", "--rotate", "--list"], 2)],
)
def test_what_can_not_be_done_says_why(arguments: list[str], status: int) -> None:
    result = _run("keys", *arguments)
    assert result.exit_code == status
    assert result.output
