"""domain, account, alias, token."""

from __future__ import annotations

import re
import secrets
import sys

import click

from infra.ports import DirectoryError
from mail.authentication.rotation import State
from mail.authentication.signing import SigningError
from mailfold.cli.output import Failure, iso, json_option, listing
from mailfold.domain_keys import KeyInfo
from mailfold.erasing import erase_account
from mailfold.mailboxes import open_mailbox
from mailfold.wiring import open_house

_DURATION = re.compile(r"(\d+)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def _duration(text: str) -> int:
    m = _DURATION.fullmatch(text)
    if not m:
        raise click.BadParameter(f"{text!r} is no duration; write it as 30d, 12h or 45m")
    return int(m[1]) * _SECONDS[m[2]]


@click.group()
def domain() -> None:
    """Domains that mail is accepted for."""


@domain.command("add")
@click.argument("name", metavar="DOMAIN")
def domain_add(name: str) -> None:
    """Accept mail for DOMAIN."""
    with open_house() as house, _directory_errors():
        house.directory.add_domain(name)


@domain.command("list")
@json_option
def domain_list(as_json: bool) -> None:
    """List the domains."""
    with open_house() as house:
        rows = [{"domain": d.name, "created": iso(d.created_at)} for d in house.directory.domains()]
        listing(rows, ("domain", "created"), as_json)


@domain.command("remove")
@click.argument("name", metavar="DOMAIN")
def domain_remove(name: str) -> None:
    """Accept no more mail for DOMAIN."""
    with open_house() as house, _directory_errors():
        keys = house.domain_keys.of(name)
        house.directory.remove_domain(name)
        if keys:
            house.keyring.destroy(keys)


_STATES: dict[State, str] = {
    "next": "publish it now; it signs in two days",
    "signing": "signs",
    "published": "signs no more; keep it published for mail on its way",
    "empty": "revoked; publish it empty",
}


@domain.command("keys")
@click.argument("name", metavar="DOMAIN")
@click.option("--rotate", is_flag=True, help="Make new keys under new selectors.")
@click.option("--list", "only_list", is_flag=True, help="List the keys; make none.")
@json_option
def domain_keys(name: str, rotate: bool, only_list: bool, as_json: bool) -> None:
    """Print the DNS records of DOMAIN's signing keys, made when there are none.

    The lines are those of a zone file. Private keys are never printed.
    """
    if rotate and only_list:
        raise click.UsageError("--list makes no keys; leave --rotate or --list out")
    with open_house() as house:
        house.prepare()
        with _directory_errors():
            if rotate:
                house.keyring.rotate(name)
            elif not only_list:
                house.keyring.make(name)
            found = house.keyring.listing(name)
    if as_json or only_list:
        rows = [_shown(one) for one in found]
        listing(rows, ("selector", "algorithm", "state", "created"), as_json)
        return
    for one in found:
        click.echo(f"; {_STATES[one.state]}")
        click.echo(one.zone_line())


def _shown(one: KeyInfo) -> dict[str, str]:
    return {
        "selector": one.key.selector,
        "algorithm": one.key.kind,
        "state": one.state,
        "created": iso(one.key.created_at),
        "name": one.name,
        "type": "TXT",
        "value": one.record,
    }


@click.group()
def account() -> None:
    """Accounts, each with one mailbox."""


@account.command("add")
@click.argument("address")
@click.option("--password-stdin", is_flag=True, help="Read the password from one line of input.")
def account_add(address: str, password_stdin: bool) -> None:
    """Make an account; without --password-stdin a password is made and printed."""
    password = read_password() if password_stdin else secrets.token_urlsafe(12)
    with open_house() as house:
        house.prepare()
        with _directory_errors():
            made = house.directory.add_account(address, password, house.settings.quota_bytes)
        open_mailbox(house, made.mailbox_id)
        if not password_stdin:
            click.echo(f"password: {password}")


@account.command("list")
@json_option
def account_list(as_json: bool) -> None:
    """List the accounts."""
    with open_house() as house:
        rows = [
            {
                "address": a.address,
                "mailboxId": a.mailbox_id,
                "created": iso(a.created_at),
                "quotaBytes": a.quota_bytes,
            }
            for a in house.directory.accounts()
        ]
        listing(rows, ("address", "mailboxId", "created", "quotaBytes"), as_json)


@account.command("remove")
@click.argument("address")
def account_remove(address: str) -> None:
    """Remove an account and erase all its mail; interrupted, it is to be done again."""
    with open_house() as house, _directory_errors():
        house.prepare()
        found = house.directory.account(address)
        if found is None:
            raise Failure(f"there is no account {address}; see `mailfold account list`")
        erased = erase_account(house, found)
        house.directory.remove_account(address)
        click.echo(f"{erased} messages erased")


@click.group()
def alias() -> None:
    """Addresses that reach accounts, or addresses on other hosts."""


@alias.command("add")
@click.argument("name", metavar="ALIAS")
@click.argument("address")
def alias_add(name: str, address: str) -> None:
    """Let mail for ALIAS reach ADDRESS too: an account, or an address on another host.

    Mail to another host is sealed with the keys of ALIAS's domain; see `mailfold domain keys`.
    """
    with open_house() as house, _directory_errors():
        house.directory.add_alias(name, address)


@alias.command("list")
@json_option
def alias_list(as_json: bool) -> None:
    """List the aliases."""
    with open_house() as house:
        rows = [
            {
                "alias": a.alias,
                "address": a.target,
                "remote": a.remote,
                "created": iso(a.created_at),
            }
            for a in house.directory.aliases()
        ]
        listing(rows, ("alias", "address", "remote", "created"), as_json)


@alias.command("remove")
@click.argument("name", metavar="ALIAS")
@click.argument("address", required=False)
def alias_remove(name: str, address: str | None) -> None:
    """Remove an alias, or one ADDRESS of those that it reaches."""
    with open_house() as house, _directory_errors():
        house.directory.remove_alias(name, address)


@click.group()
def token() -> None:
    """Tokens for the REST API."""


@token.command("create")
@click.argument("address")
@click.option(
    "--scope",
    type=click.Choice(["read", "write"]),
    default="write",
    show_default=True,
    help="What it allows.",
)
@click.option("--ttl", default="30d", show_default=True, help="How long it lives: 30d, 12h, 45m.")
def token_create(address: str, scope: str, ttl: str) -> None:
    """Make a token and print it; it is not kept and can't be shown again."""
    seconds = _duration(ttl)
    with open_house() as house, _directory_errors():
        now = house.clock()
        click.echo(
            house.directory.create_token(
                address, "read" if scope == "read" else "write", now + seconds * 1_000_000, now
            )
        )


def read_password() -> str:
    """Return one line of standard input. Raises Failure when it is empty."""
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise Failure("no password came in; write it as one line to standard input")
    return line


class _directory_errors:  # noqa: N801 (reads as a statement)
    def __enter__(self) -> None:
        return None

    def __exit__(self, _t: object, error: BaseException | None, _tb: object) -> None:
        if isinstance(error, DirectoryError | SigningError):
            raise Failure(str(error)) from error
