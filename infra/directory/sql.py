"""The directory in a relational database, with its administration."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, cast

from argon2 import PasswordHasher
from sqlalchemy import Connection, Insert, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from infra.directory.database import Database
from infra.directory.lookups import Lookups
from infra.directory.names import Name, parse, valid_address, valid_domain
from infra.directory.tables import ACCOUNT, ALIAS, DOMAIN, TOKEN
from infra.ports import Account, Clock, DirectoryError, Random
from schemas.identity import timed

DEFAULT_QUOTA = 15_000_000_000
"""What a new account may hold, octets."""

MOST_TARGETS = 50
"""Addresses that one alias reaches at most."""

Scope = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain whose mail is ours."""

    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Alias:
    """An address that reaches an account, or somebody on another host (`remote`)."""

    alias: str
    target: str
    remote: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class Token:
    """A token as listings show it; the token itself is not kept."""

    id: str
    address: str
    scope: Scope
    created_at: int
    expires_at: int


class SqlDirectory(Lookups):
    """The directory at a SQLAlchemy `url`; every change is seen at once by all processes.

    On SQLite at once, elsewhere within a second. All methods raise EngineDown.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        random: Random = os.urandom,
        hasher: PasswordHasher | None = None,
    ) -> None:
        super().__init__(Database(url, clock), hasher or PasswordHasher())
        self._clock = clock
        self._random = random

    # -- domains -----------------------------------------------------------------------------

    def add_domain(self, domain: str) -> Domain:
        """Host `domain` from now on. Raises DirectoryError."""
        made = Domain(valid_domain(domain), self._clock())
        try:
            with self._database.begin() as c:
                c.execute(insert(DOMAIN).values(name=made.name, created_at=made.created_at))
        except IntegrityError as e:
            raise DirectoryError(f"the domain {made.name} is there already") from e
        return made

    def domains(self) -> Sequence[Domain]:
        """Return all domains, by name."""
        with self._database.connect() as c:
            rows = c.execute(select(DOMAIN).order_by(DOMAIN.c.name)).all()
        return [Domain(r.name, r.created_at) for r in rows]

    def remove_domain(self, domain: str) -> None:
        """Host `domain` no longer. Raises DirectoryError while it has accounts or aliases."""
        name = valid_domain(domain)
        try:
            with self._database.begin() as c:
                if not c.execute(delete(DOMAIN).where(DOMAIN.c.name == name)).rowcount:
                    raise DirectoryError(f"there is no domain {name}")
        except IntegrityError as e:
            raise DirectoryError(f"{name} still has accounts or aliases; remove those first") from e

    # -- accounts ----------------------------------------------------------------------------

    def add_account(self, address: str, password: str, quota_bytes: int = DEFAULT_QUOTA) -> Account:
        """Make an account with a mailbox of its own. Raises DirectoryError."""
        name = valid_address(address)
        if not password:
            raise DirectoryError("a password must not be empty")
        now = self._clock()
        made = Account(name.address, timed(now, self._random(10)), now, quota_bytes)
        hashed = self._hasher.hash(password)
        with self._database.begin() as c:
            _require_new(c, name)
            _store(
                c,
                insert(ACCOUNT).values(
                    address=made.address,
                    domain=name.domain,
                    mailbox_id=made.mailbox_id,
                    password_hash=hashed,
                    created_at=made.created_at,
                    quota_bytes=made.quota_bytes,
                ),
            )
        return made

    def set_password(self, address: str, password: str) -> None:
        """Change a password and revoke the account's tokens. Raises DirectoryError."""
        if not password:
            raise DirectoryError("a password must not be empty")
        account = self._existing(address)
        hashed = self._hasher.hash(password)
        with self._database.begin() as c:
            c.execute(
                update(ACCOUNT)
                .where(ACCOUNT.c.address == account.address)
                .values(password_hash=hashed)
            )
            c.execute(delete(TOKEN).where(TOKEN.c.account == account.address))

    def remove_account(self, address: str) -> Account:
        """Remove an account with its aliases and tokens; its mail is not touched here.

        Returns the account as it was. Raises DirectoryError.
        """
        account = self._existing(address)
        with self._database.begin() as c:
            c.execute(delete(ACCOUNT).where(ACCOUNT.c.address == account.address))
        return account

    # -- aliases -----------------------------------------------------------------------------

    def add_alias(self, alias: str, address: str) -> Alias:
        """Let `alias` reach `address` too: a local account (a detail is kept) or one elsewhere.

        Raises DirectoryError.
        """
        name, target = valid_address(alias), parse(address)
        if target is None:
            raise DirectoryError(
                f"{address!r} is not an address; give one such as ada@example.test"
            )
        valid_address(target.address)
        remote = not self.hosts(target.domain)
        if not remote and self.account(target.address) is None:
            raise DirectoryError(f"there is no account {target.address} that {alias} could reach")
        # Elsewhere a local part is not ours to fold (RFC 5321 section 2.4).
        local = address.strip().rpartition("@")[0]
        detail = f"+{target.detail}" if target.detail else ""
        made = Alias(
            name.address,
            f"{local if remote else target.user + detail}@{target.domain}",
            remote,
            self._clock(),
        )
        with self._database.begin() as c:
            _require_ours(c, name)
            targets = _targets(c, name)
            if made.target in targets:
                raise DirectoryError(f"{name.address} is an alias already of {made.target}")
            if len(targets) >= MOST_TARGETS:
                raise DirectoryError(f"{name.address} has {MOST_TARGETS} addresses, the most")
            _store(
                c,
                insert(ALIAS).values(
                    alias=made.alias,
                    domain=name.domain,
                    account=None if remote else target.address,
                    target=made.target,
                    created_at=made.created_at,
                ),
            )
        return made

    def aliases(self) -> Sequence[Alias]:
        """Return all aliases, by name, one row for each address that one reaches."""
        with self._database.connect() as c:
            rows = c.execute(select(ALIAS).order_by(ALIAS.c.alias, ALIAS.c.created_at)).all()
        return [Alias(r.alias, r.target, r.account is None, r.created_at) for r in rows]

    def remove_alias(self, alias: str, address: str | None = None) -> None:
        """Remove an alias, or one of the addresses that it reaches. Raises DirectoryError."""
        name = valid_address(alias)
        gone = delete(ALIAS).where(ALIAS.c.alias == name.address)
        if address is not None:
            gone = gone.where(func.lower(ALIAS.c.target) == address.strip().lower())
        with self._database.begin() as c:
            if not c.execute(gone).rowcount:
                to = f" of {address}" if address is not None else ""
                raise DirectoryError(f"there is no alias {name.address}{to}")

    # -- tokens ------------------------------------------------------------------------------

    def create_token(self, address: str, scope: Scope, expires_at: int, now: int) -> str:
        """Return a new token of 32 random octets; only its hash is kept. Raises DirectoryError."""
        account = self._existing(address)
        if expires_at <= now:
            raise DirectoryError("a token must expire later than now")
        token = urlsafe_b64encode(self._random(32)).rstrip(b"=").decode()
        digest = sha256(token.encode()).digest()
        with self._database.begin() as c:
            # What has expired is of no use to anybody, and each login adds a row.
            c.execute(delete(TOKEN).where(TOKEN.c.expires_at <= now))
            c.execute(
                insert(TOKEN).values(
                    hash=digest,
                    id=digest.hex()[:16],
                    account=account.address,
                    scope=scope,
                    created_at=now,
                    expires_at=expires_at,
                )
            )
        return token

    def tokens(self, address: str | None = None) -> Sequence[Token]:
        """Return the tokens of one account or of all, oldest first. Raises DirectoryError."""
        query = select(TOKEN).order_by(TOKEN.c.created_at, TOKEN.c.id)
        if address is not None:
            query = query.where(TOKEN.c.account == self._existing(address).address)
        with self._database.connect() as c:
            rows = c.execute(query).all()
        return [_token(r) for r in rows]

    def revoke_token(self, id: str) -> None:
        """Revoke the token that listings call `id`. Raises DirectoryError."""
        with self._database.begin() as c:
            if not c.execute(delete(TOKEN).where(TOKEN.c.id == id)).rowcount:
                raise DirectoryError(f"there is no token {id}")

    # -- the file ----------------------------------------------------------------------------

    def damage(self) -> str:
        """Read all of it; return what is wrong, "" for nothing. Raises EngineDown."""
        return self._database.damage()

    # -- what a change rests on --------------------------------------------------------------

    def _existing(self, address: str) -> Account:
        account = self.account(address)
        if account is None:
            raise DirectoryError(f"there is no account {address}")
        return account


def _require_new(c: Connection, name: Name) -> None:
    """Raise DirectoryError unless `name` is free and in a domain of ours."""
    _require_ours(c, name)
    if _targets(c, name):
        raise DirectoryError(f"{name.address} is an alias already")


def _require_ours(c: Connection, name: Name) -> None:
    """Raise DirectoryError unless `name` is in a domain of ours, and no account."""
    if c.execute(select(DOMAIN.c.name).where(DOMAIN.c.name == name.domain)).first() is None:
        raise DirectoryError(
            f"the domain {name.domain} is not hosted here; add it with `domain add` first"
        )
    if c.execute(select(ACCOUNT.c.address).where(ACCOUNT.c.address == name.address)).first():
        raise DirectoryError(f"the account {name.address} is there already")


def _targets(c: Connection, name: Name) -> Sequence[str]:
    return c.execute(select(ALIAS.c.target).where(ALIAS.c.alias == name.address)).scalars().all()


def _store(c: Connection, statement: Insert) -> None:
    """Insert one row. Raises DirectoryError when another process was quicker."""
    try:
        c.execute(statement)
    except IntegrityError as e:
        raise DirectoryError("somebody else changed the directory meanwhile; try again") from e


def _token(row: Row[Any]) -> Token:
    return Token(row.id, row.account, cast("Scope", row.scope), row.created_at, row.expires_at)
