"""Accounts, domains, aliases, tokens, and the signing keys of our domains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from schemas.parts import Forward


@dataclass(frozen=True, slots=True)
class Account:
    """An account and its one mailbox."""

    address: str
    mailbox_id: str
    created_at: int
    quota_bytes: int


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a forward-path resolves to. `detail` is the sub-address (RFC 5233), "" without one."""

    mailbox_id: str
    address: str
    detail: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows."""

    account: Account
    scope: Literal["read", "write"]
    expires_at: int


class Directory(Protocol):
    """Accounts, domains, aliases and tokens."""

    def hosts(self, domain: str) -> bool:
        """Say whether mail for `domain` is ours."""
        ...

    def resolve(self, address: str) -> Recipient | None:
        """Return the mailbox that an address reaches: account, alias or sub-address.

        None for nobody, and for an alias that reaches other hosts alone.
        """
        ...

    def reach(self, address: str) -> Sequence[Recipient | Forward]:
        """Return all that an address reaches, here and on other hosts; nothing for nobody."""
        ...

    def accounts(self) -> Sequence[Account]:
        """Return all accounts, by address."""
        ...

    def account(self, address: str) -> Account | None:
        """Return one account by its address."""
        ...

    def account_of(self, mailbox_id: str) -> Account | None:
        """Return one account by its mailbox."""
        ...

    def login(self, address: str, password: str) -> Account | None:
        """Return the account when the password is right; takes as long when there is none."""
        ...

    def grant(self, token: str, now: int) -> Grant | None:
        """Return what a token allows; None when unknown or expired."""
        ...

    def create_token(
        self, address: str, scope: Literal["read", "write"], expires_at: int, now: int
    ) -> str:
        """Return a new token; only its hash is kept. Raises DirectoryError."""
        ...


DomainKeyKind = Literal["rsa", "ed25519"]


@dataclass(frozen=True, slots=True)
class DomainKey:
    """A signing key of a domain of ours.

    `record` is the text to publish; `sealed` the private half under the key `key_id` of the key
    store, empty when it was destroyed.
    """

    domain: str
    selector: str
    kind: DomainKeyKind
    created_at: int
    record: str
    key_id: str
    sealed: bytes = field(repr=False)


class DomainKeys(Protocol):
    """The signing keys of our domains, private halves sealed."""

    def add(self, keys: Sequence[DomainKey]) -> None:
        """Keep new keys, all or none. Raises DirectoryError when a selector was in use before."""
        ...

    def of(self, domain: str) -> Sequence[DomainKey]:
        """Return the keys of a domain, oldest first. Raises DirectoryError when it is not ours."""
        ...

    def forget(self, keys: Sequence[DomainKey]) -> None:
        """Keep the private halves of these keys no longer; their selectors stay taken."""
        ...


class DirectoryError(Exception):
    """A change to the directory that can't be made; the text says why and what to do."""
