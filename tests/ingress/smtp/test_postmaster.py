"""Somebody gets the mail for postmaster, whatever the directory knows (RFC 5321 section 4.5.1)."""

from __future__ import annotations

import asyncio
from pathlib import Path as File

import pytest

from infra.directory.sql import SqlDirectory
from infra.ports import Recipient
from ingress.smtp import replies
from ingress.smtp.paths import POSTMASTER, Path
from ingress.smtp.recipients import Recipients
from ingress.smtp.replies import Reply
from tests.fakes import FakeClock


@pytest.fixture
def directory(tmp_path: File) -> SqlDirectory:
    clock = FakeClock()
    made = SqlDirectory(f"sqlite:///{tmp_path / 'accounts.db'}", clock)
    for domain in ("example.test", "second.test"):
        made.add_domain(domain)
    for address in ("zoe@example.test", "ann@example.test"):
        clock.advance(1)
        made.add_account(address, "password")
    return made


def reached(directory: SqlDirectory, path: Path, postmaster: str = "") -> str:
    recipients = Recipients(
        directory, FakeClock(), hostname="mx.example.test", postmaster=postmaster
    )
    found = asyncio.run(recipients.resolve(path))
    if isinstance(found, Reply):
        return found.enhanced
    (recipient,) = found
    assert isinstance(recipient, Recipient)
    return recipient.address


def at(domain: str, local: str = "postmaster") -> Path:
    return Path(f"{local}@{domain}", f"{local}@{domain}")


@pytest.mark.parametrize(
    "path", [POSTMASTER, at("example.test"), at("second.test"), at("second.test", "PostMaster")]
)
def test_the_first_account_stands_in(directory: SqlDirectory, path: Path) -> None:
    assert reached(directory, path) == "zoe@example.test"


def test_the_one_that_is_set_stands_in(directory: SqlDirectory) -> None:
    assert reached(directory, at("second.test"), "ann@example.test") == "ann@example.test"


def test_a_setting_that_names_nobody_loses_no_mail(directory: SqlDirectory) -> None:
    assert reached(directory, POSTMASTER, "gone@example.test") == "zoe@example.test"


def test_an_alias_goes_before(directory: SqlDirectory) -> None:
    directory.add_alias("postmaster@second.test", "ann@example.test")
    assert reached(directory, at("second.test")) == "ann@example.test"


def test_postmaster_elsewhere_is_not_ours(directory: SqlDirectory) -> None:
    assert reached(directory, at("elsewhere.test")) == replies.RELAYING_DENIED.enhanced


def test_nobody_is_there_before_the_first_account(tmp_path: File) -> None:
    empty = SqlDirectory(f"sqlite:///{tmp_path / 'accounts.db'}", FakeClock())
    assert reached(empty, POSTMASTER) == replies.NO_SUCH_USER.enhanced
