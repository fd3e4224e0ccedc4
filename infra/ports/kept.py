"""What is kept beside the log: keys, large parts, content."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from infra.ports.log import Record


class KeyStore(Protocol):
    """Content, digest and mailbox keys by the identifier of what they seal; durable as the log.

    A destroyed key is never followed by another: what was erased stays erased, and whoever meets
    it again can tell it from a key that was lost.
    """

    def put(self, keys: Mapping[str, bytes]) -> None:
        """Store keys that the caller made for identifiers that are new. Durable on return.

        Raises KeyTaken, with nothing stored, when one of them has another key, or had one.
        """
        ...

    def ensure(self, identifiers: Sequence[str]) -> Mapping[str, bytes]:
        """Return the key of each, made and durable where there was none.

        One whose key was destroyed is missing.
        """
        ...

    def get(self, identifiers: Sequence[str]) -> Mapping[str, bytes]:
        """Return the keys that exist; a destroyed one is missing."""
        ...

    def destroy(self, identifiers: Sequence[str]) -> None:
        """Destroy keys so that no file holds their bytes. Durable on return.

        An identifier that has no key yet never gets one.
        """
        ...

    def destroyed(self, identifiers: Sequence[str]) -> frozenset[str]:
        """Return those whose key was destroyed; a lost one is neither here nor in `get`."""
        ...

    def secret(self) -> bytes:
        """Return the installation's secret of 32 octets, made at the first call."""
        ...


class KeyTaken(Exception):
    """Identifiers have other keys: what was sealed with the offered ones must be sealed anew."""

    def __init__(self, identifiers: Sequence[str]) -> None:
        super().__init__(f"{len(identifiers)} identifiers have other keys")
        self.identifiers = tuple(identifiers)


class PartStore(Protocol):
    """Large parts by name (32 octets). A part is there before an event names it."""

    def put(self, mail_id: str, parts: Mapping[bytes, bytes]) -> None:
        """Store parts and the references of `mail_id` to them; a known one refreshes its age."""
        ...

    def get(self, name: bytes) -> bytes:
        """Return a part. Raises PartMissing."""
        ...


class PartGarbage(Protocol):
    """What becomes of large parts that no mail needs any more. Times are microseconds."""

    def release(self, mail_ids: Sequence[str], now: int) -> None:
        """Forget what these mails need; mark the parts that no mail needs then. Idempotent."""
        ...

    def collect(self, now: int) -> int | None:
        """Delete what was marked long enough ago and is needed by none.

        Returns when there is more to do, None when nothing is marked.
        """
        ...

    def next(self) -> int | None:
        """Return when `collect` has something to do, None when nothing is marked."""
        ...


class PartMissing(Exception):
    """A part that an event names is not in the store."""


@dataclass(frozen=True, slots=True)
class Content:
    """What the content store holds of a mail; all personal fields sealed with its content key.

    `digest` is a Digest sealed for the mail_id in place of an event's identity.
    """

    received: Record
    authenticated: bytes
    scored: bytes
    digest: bytes


class ContentStore(Protocol):
    """Mail by mail_id: the Received as sealed, and the judgement; the first one put counts."""

    def put(self, contents: Mapping[str, Content]) -> Mapping[str, Content]:
        """Store what is absent; return for each mail_id what is stored now."""
        ...

    def get(self, mail_ids: Sequence[str]) -> Mapping[str, Content]:
        """Return the content of those that are there."""
        ...

    def remove(self, mail_ids: Sequence[str]) -> None:
        """Forget mails that are erased everywhere. Idempotent."""
        ...

    def having(self, mail_ids: Collection[str]) -> frozenset[str]:
        """Return those of `mail_ids` that are there."""
        ...
