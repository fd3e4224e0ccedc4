"""Open what a search reads of a mail: the digest that its event seals, and its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from infra.ports import Content, ContentStore, KeyStore, PartMissing, PartStore
from mail.query.document import Document, Letter, document_of
from mail.segments import SkeletonError, join
from schemas.codec import CodecError
from schemas.content import open_received, original
from schemas.events import Received
from schemas.fingerprint import Fingerprint
from schemas.mailbox_events import Delivered, Restored
from schemas.parts import Digest
from schemas.seal import SealError, unseal

_CHUNK = 32
"""Mails whose content is fetched together; large parts are fetched one by one."""


class Letters:
    """Opens mails. What its keys do not open any more is as if it were not there."""

    def __init__(
        self, content: ContentStore, keys: KeyStore, parts: PartStore, fingerprint: Fingerprint
    ) -> None:
        self._content = content
        self._keys = keys
        self._parts = parts
        self._fingerprint = fingerprint

    def digests(self, events: Sequence[Delivered | Restored]) -> Mapping[str, Digest]:
        """Return, by event_id, the digests whose keys exist. Raises EngineDown."""
        keys = self._keys.get(list({e.message_id: None for e in events}))
        found: dict[str, Digest] = {}
        for event in events:
            key = keys.get(event.message_id)
            if key is None:
                continue
            try:
                found[event.event_id] = unseal(Digest, event.sealed, key, event.event_id)
            except SealError:
                # Another key: the mail was erased, and came again later.
                continue
        return found

    def documents(
        self, wanted: Iterable[tuple[str, Digest | None]]
    ) -> Iterator[tuple[Digest | None, Document | None]]:
        """Yield the document for each (mail_id, digest), in order; None without a digest.

        Raises EngineDown.
        """
        it = iter(wanted)
        while chunk := list(islice(it, _CHUNK)):
            mails = list({mail_id: None for mail_id, digest in chunk if digest is not None})
            contents, keys = self._content.get(mails), self._keys.get(mails)
            for mail_id, digest in chunk:
                if digest is None:
                    yield None, None
                else:
                    letter = self._letter(contents.get(mail_id), keys.get(mail_id))
                    yield digest, document_of(digest, letter)

    def texts(self, messages: Sequence[tuple[str, str]]) -> Iterator[str]:
        """Yield the text of each (message_id, mail_id), "" for one that is erased."""
        for start in range(0, len(messages), _CHUNK):
            chunk = messages[start : start + _CHUNK]
            keys = self._keys.get([i for pair in chunk for i in pair])
            mails = [mail for message, mail in chunk if message in keys and mail in keys]
            contents = self._content.get(mails)
            for message_id, mail_id in chunk:
                content = contents.get(mail_id) if message_id in keys else None
                letter = self._letter(content, keys.get(mail_id))
                yield "" if letter is None else letter.text()

    def _letter(self, content: Content | None, key: bytes | None) -> Letter | None:
        if content is None or key is None:
            return None
        try:
            received = content.received.decode()
            if not isinstance(received, Received):
                return None
            secret = open_received(received, key)
            raw = original(secret, self._parts.get, self._fingerprint, join)
        except (SealError, CodecError, PartMissing, SkeletonError):
            return None
        return Letter.of(raw)
