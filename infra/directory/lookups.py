"""What servers ask of the directory, remembered until the database changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, TypeVar, cast

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Row, Select, func, select

from infra.directory.database import Database
from infra.directory.names import Name, parse
from infra.directory.tables import ACCOUNT, ALIAS, DOMAIN, TOKEN
from infra.ports import Account, Grant, Recipient
from mail.addresses import canonical_domain
from schemas.parts import Forward

T = TypeVar("T")

# Answers for names that don't exist are remembered too, so the number has to be bounded.
_MOST_REMEMBERED = 50_000
# What a password has at most; argon2 reads all of it, so an endless one is work for nothing.
_LONGEST_PASSWORD = 1024


class Lookups:
    """The reading half of a directory; satisfies all of the port but `create_token`."""

    def __init__(self, database: Database, hasher: PasswordHasher) -> None:
        self._database = database
        self._hasher = hasher
        self._lock = threading.Lock()
        self._version = -1
        self._remembered: dict[tuple[str, object], object] = {}

    def hosts(self, domain: str) -> bool:
        """Say whether mail for `domain` is ours. Raises EngineDown."""
        name = canonical_domain(domain)
        return self._remember(("hosts", name), lambda: self._has(name))

    def hosted(self) -> frozenset[str]:
        """Return the domains whose mail is ours. Raises EngineDown."""
        return self._remember(("hosted", ""), self._hosted)

    def resolve(self, address: str) -> Recipient | None:
        """Return the mailbox that `address` reaches. Raises EngineDown.

        None for nobody, and for an alias whose targets are all on other hosts.
        """
        return next((r for r in self.reach(address) if isinstance(r, Recipient)), None)

    def reach(self, address: str) -> Sequence[Recipient | Forward]:
        """Return all that `address` reaches, here and on other hosts. Raises EngineDown."""
        return self._remember(("reach", address), lambda: self._reach(address))

    def accounts(self) -> Sequence[Account]:
        """Return all accounts, by address. Raises EngineDown."""
        with self._database.connect() as c:
            return [
                _account(r) for r in c.execute(select(ACCOUNT).order_by(ACCOUNT.c.address)).all()
            ]

    def account(self, address: str) -> Account | None:
        """Return the account with exactly this address. Raises EngineDown."""
        name = parse(address)
        if name is None or name.detail:
            return None
        key = name.address
        return self._remember(
            ("account", key),
            lambda: self._account_where(select(ACCOUNT).where(ACCOUNT.c.address == key)),
        )

    def account_of(self, mailbox_id: str) -> Account | None:
        """Return the account that a mailbox belongs to. Raises EngineDown."""
        return self._remember(
            ("mailbox", mailbox_id),
            lambda: self._account_where(select(ACCOUNT).where(ACCOUNT.c.mailbox_id == mailbox_id)),
        )

    def login(self, address: str, password: str) -> Account | None:
        """Return the account when the password is right. Raises EngineDown.

        Computes one argon2 hash whether or not there is such an account, so that the time says
        nothing; takes tens of milliseconds and belongs in a thread.
        """
        password = password[:_LONGEST_PASSWORD]
        name = parse(address)
        with self._database.connect() as c:
            row = (
                None
                if name is None or name.detail
                else c.execute(select(ACCOUNT).where(ACCOUNT.c.address == name.address)).first()
            )
        if row is None:
            self._hasher.hash(password)
            return None
        try:
            self._hasher.verify(cast("str", row.password_hash), password)
        except (VerificationError, InvalidHashError):
            return None
        return _account(row)

    def grant(self, token: str, now: int) -> Grant | None:
        """Return what a token allows at `now`. Raises EngineDown."""
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = self._remember(("token", digest), lambda: self._grant(digest))
        return found if found is not None and now < found.expires_at else None

    def close(self) -> None:
        """Give the database's connections back."""
        self._database.close()

    # -- reading -----------------------------------------------------------------------------

    def _remember(self, key: tuple[str, object], load: Callable[[], T]) -> T:
        version = self._database.version()
        with self._lock:
            if version != self._version or len(self._remembered) >= _MOST_REMEMBERED:
                self._version = version
                self._remembered.clear()
            if key in self._remembered:
                return cast("T", self._remembered[key])
        # Read after the version: what is read may be newer than it says, never older.
        value = load()
        with self._lock:
            if self._version == version:
                self._remembered[key] = value
        return value

    def _has(self, domain: str) -> bool:
        with self._database.connect() as c:
            return (
                c.execute(select(DOMAIN.c.name).where(DOMAIN.c.name == domain)).first() is not None
            )

    def _hosted(self) -> frozenset[str]:
        with self._database.connect() as c:
            return frozenset(c.execute(select(DOMAIN.c.name)).scalars())

    def _reach(self, address: str) -> Sequence[Recipient | Forward]:
        name = parse(address)
        if name is None:
            return ()
        account = self._account_where(select(ACCOUNT).where(ACCOUNT.c.address == name.address))
        if account is not None:
            return (Recipient(account.mailbox_id, account.address, name.detail),)
        return self._through_alias(name)

    def _through_alias(self, name: Name) -> Sequence[Recipient | Forward]:
        with self._database.connect() as c:
            targets = (
                c.execute(
                    select(ALIAS.c.target)
                    .where(ALIAS.c.alias == name.address)
                    .order_by(ALIAS.c.created_at, func.lower(ALIAS.c.target))
                )
                .scalars()
                .all()
            )
        found = [self._target(name, cast("str", target)) for target in targets]
        return tuple(one for one in found if one is not None)

    def _target(self, name: Name, address: str) -> Recipient | Forward | None:
        """Return what one target of an alias is now: its domain may have become ours since."""
        target = parse(address)
        if target is None:
            return None
        if not self._has(target.domain):
            return Forward(by="forward", alias=name.address, address=address)
        account = self._account_where(select(ACCOUNT).where(ACCOUNT.c.address == target.address))
        # A detail that the sender wrote counts more than the one the alias was made with.
        return account and Recipient(
            account.mailbox_id, account.address, name.detail or target.detail
        )

    def _account_where(self, query: Select[Any]) -> Account | None:
        with self._database.connect() as c:
            row = c.execute(query).first()
        return None if row is None else _account(row)

    def _grant(self, digest: bytes) -> Grant | None:
        with self._database.connect() as c:
            row = c.execute(
                select(ACCOUNT, TOKEN.c.scope, TOKEN.c.expires_at)
                .join(TOKEN, TOKEN.c.account == ACCOUNT.c.address)
                .where(TOKEN.c.hash == digest)
            ).first()
        return None if row is None else Grant(_account(row), row.scope, row.expires_at)


def _account(row: Row[Any]) -> Account:
    return Account(row.address, row.mailbox_id, row.created_at, row.quota_bytes)
