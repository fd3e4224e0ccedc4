"""The signing keys of a domain: made, sealed, rotated and withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.ports import Clock, DomainKey, DomainKeyKind, DomainKeys, KeyStore, Random
from mail.authentication.rotation import State, states
from mail.authentication.signing import (
    SigningKey,
    empty_record,
    generate_key,
    load_key,
    next_selector,
    zone_line,
)
from schemas.identity import timed

KINDS: tuple[DomainKeyKind, ...] = ("rsa", "ed25519")
"""A message is signed with one of each: it verifies at those who know either."""

_NONCE = 12


class KeyLost(Exception):
    """A private key can't be opened: what it is sealed with is gone; the text says what to do."""


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key as it may be shown; nothing of it is secret."""

    key: DomainKey
    state: State

    @property
    def name(self) -> str:
        """Where its record is published."""
        return f"{self.key.selector}._domainkey.{self.key.domain}"

    @property
    def record(self) -> str:
        """The text of the record to publish now."""
        return empty_record(self.key.kind) if self.state == "empty" else self.key.record

    def zone_line(self) -> str:
        """Return the record as a line of a zone file."""
        return zone_line(self.name, self.record)


class Keyring:
    """The signing keys of our domains.

    A private half is sealed with AES-256-GCM under a key of its own in the key store, so destroying
    that one destroys it, wherever the database was copied to.
    """

    def __init__(self, stored: DomainKeys, keys: KeyStore, clock: Clock, random: Random) -> None:
        self._stored = stored
        self._keys = keys
        self._clock = clock
        self._random = random

    def listing(self, domain: str) -> Sequence[KeyInfo]:
        """Return all keys of a domain, oldest first; destroy the private halves of emptied ones.

        Raises DirectoryError, EngineDown.
        """
        found = self._states(self._stored.of(domain))
        # The key that seals goes first: if the rest fails, it is done at the next time.
        spent = [one.key for one in found if one.state == "empty" and one.key.sealed]
        if spent:
            self._keys.destroy([key.key_id for key in spent])
            self._stored.forget(spent)
        return found

    def make(self, domain: str) -> None:
        """Make the keys of a domain that has none. Raises DirectoryError, EngineDown."""
        if not self._stored.of(domain):
            self.rotate(domain)

    def rotate(self, domain: str) -> None:
        """Make new keys under new selectors. Raises DirectoryError, EngineDown, SigningError."""
        known = self._stored.of(domain)
        name = known[0].domain if known else domain
        now = self._clock()
        moment = datetime.fromtimestamp(now / 1_000_000, UTC)
        taken = [key.selector for key in known]
        made = [generate_key(name, next_selector(kind, moment, taken), kind) for kind in KINDS]
        self._stored.add([self._sealed(one, now) for one in made])

    def signing(self, domain: str) -> Sequence[SigningKey]:
        """Return the keys that sign now, one of each type; none for a domain without keys.

        Raises KeyLost, DirectoryError, EngineDown.
        """
        found = [one.key for one in self.listing(domain) if one.state == "signing"]
        opening = self._keys.get([key.key_id for key in found])
        return [_open(key, opening.get(key.key_id)) for key in found]

    def destroy(self, keys: Sequence[DomainKey]) -> None:
        """Destroy the private halves of keys, as those of a domain that was removed."""
        self._keys.destroy([key.key_id for key in keys])

    def _sealed(self, made: SigningKey, now: int) -> DomainKey:
        key_id = timed(now, self._random(10))
        nonce = self._random(_NONCE)
        sealing = self._keys.ensure([key_id])[key_id]
        return DomainKey(
            domain=made.domain,
            selector=made.selector,
            kind=made.kind,
            created_at=now,
            record=made.record(),
            key_id=key_id,
            sealed=nonce + AESGCM(sealing).encrypt(nonce, made.to_pem(), made.name.encode()),
        )

    def _states(self, keys: Sequence[DomainKey]) -> Sequence[KeyInfo]:
        now = self._clock()
        found: dict[str, State] = {}
        for kind in KINDS:
            same = [key for key in keys if key.kind == kind]
            judged = states([key.created_at for key in same], now)
            found |= {key.selector: state for key, state in zip(same, judged, strict=True)}
        return [KeyInfo(key, found[key.selector]) for key in keys]


def _open(key: DomainKey, sealing: bytes | None) -> SigningKey:
    name = f"{key.selector}._domainkey.{key.domain}"
    if sealing is None:
        raise KeyLost(f"the key that seals {name} is gone; make new ones with `domain keys`")
    try:
        pem = AESGCM(sealing).decrypt(key.sealed[:_NONCE], key.sealed[_NONCE:], name.encode())
    except InvalidTag as error:
        raise KeyLost(f"{name} is damaged; make new ones with `domain keys`") from error
    return load_key(key.domain, key.selector, pem)
