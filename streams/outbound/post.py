"""Opens what is sealed of a submission, and makes of it the mail that is handed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from infra.ports import (
    Content,
    ContentStore,
    KeyStore,
    Parcel,
    PartMissing,
    PartStore,
    SealingKeys,
)
from mail import dsn
from mail.authentication.signing import SigningError, sign
from mail.fields import split_header
from mail.segments import SkeletonError, join
from schemas.codec import CodecError, decode_as
from schemas.content import open_received, original
from schemas.events import Authenticated, Received, Submitted
from schemas.fingerprint import Fingerprint
from schemas.parts import AuthenticatedSecret, SubmittedSecret
from schemas.seal import SealError, unseal
from streams.outbound.forwarded import Came, Leaving, forwarded


class Erased(Exception):
    """The mail is erased: nothing of it may leave any more."""


class Unreadable(Exception):
    """The mail can't be opened; `code` says why and holds no content."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Packed:
    """A submission that is ready to go."""

    parcel: Parcel
    secret: SubmittedSecret
    key: bytes
    arc: str


class PostRoom:
    """Packs submissions."""

    def __init__(
        self,
        keys: KeyStore,
        content: ContentStore,
        parts: PartStore,
        fingerprint: Fingerprint,
        signing: SealingKeys,
        hostname: str,
        clock: Callable[[], int],
    ) -> None:
        self._keys = keys
        self._content = content
        self._parts = parts
        self._fingerprint = fingerprint
        self._signing = signing
        self._hostname = hostname
        self._clock = clock

    def pack(self, submitted: Submitted) -> Packed:
        """Return the mail as it leaves now. Raises Erased, Unreadable, EngineDown."""
        mail_id = submitted.mail_id
        key = self._keys.get([mail_id]).get(mail_id)
        content = self._content.get([mail_id]).get(mail_id)
        if key is None or content is None:
            if self._keys.destroyed([mail_id]):
                raise Erased
            raise Unreadable("key-missing" if key is None else "content-missing")
        try:
            secret = unseal(SubmittedSecret, submitted.sealed, key, submitted.event_id)
            came = self._came(content, key)
        except (SealError, CodecError) as e:
            raise Unreadable("seal") from e
        except PartMissing as e:
            raise Unreadable("part-missing") from e
        except SkeletonError as e:
            raise Unreadable("skeleton-damaged") from e
        leaving = self._leaving(came, submitted, secret)
        parcel = Parcel(
            id=submitted.event_id,
            reverse_path=leaving.reverse_path,
            forward_path=leaving.forward_path,
            domain=submitted.target_domain,
            message=leaving.message,
            utf8=leaving.utf8,
            eight_bit=not leaving.message.isascii(),
        )
        return Packed(parcel, secret, key, leaving.arc)

    def _came(self, content: Content, key: bytes) -> Came:
        received = cast("Received", content.received.decode())
        secret = open_received(received, key)
        authenticated = decode_as(Authenticated, content.authenticated)
        judged = unseal(AuthenticatedSecret, authenticated.sealed, key, authenticated.event_id)
        return Came(
            received=received,
            secret=secret,
            raw=original(secret, self._parts.get, self._fingerprint, join),
            authenticated=authenticated,
            results=judged.results,
        )

    def _leaving(self, came: Came, submitted: Submitted, secret: SubmittedSecret) -> Leaving:
        keys = self._signing(submitted.via_domain)
        now = self._clock()
        if not secret.failure:
            return forwarded(
                came,
                submitted,
                secret,
                hostname=self._hostname,
                keys=keys,
                keyed=self._fingerprint.forwarded,
                now=now,
            )
        (failure,) = secret.failure
        report = dsn.Report(
            sender=secret.forward_path,
            recipient=failure.recipient,
            status=failure.status,
            code=failure.code,
            arrived=_moment(came.received.received_at),
            attempted=_moment(failure.last_attempt_at),
            header=came.raw[: split_header(came.raw).body],
        )
        message = dsn.compose(
            report,
            self._hostname,
            submitted.via_domain,
            submitted.event_id,
            _moment(submitted.occurred_at),
        )
        try:
            message = sign(message, keys, _moment(now)) + message
        except SigningError:
            # A key that can't sign is no reason not to tell the sender.
            pass
        path = secret.forward_path
        return Leaving(reverse_path="", forward_path=path, message=message, utf8=not path.isascii())


def _moment(micros: int) -> datetime:
    return datetime.fromtimestamp(micros // 1_000_000, UTC)
