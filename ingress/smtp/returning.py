"""Whom a bounce of a forwarded mail goes back to: what our rewritten reverse-paths say."""

from __future__ import annotations

from typing import cast

from infra.ports import Clock, ContentStore, KeyStore
from mail.srs import Named, SrsError, restored
from schemas.content import open_received
from schemas.events import Received
from schemas.fingerprint import Fingerprint
from schemas.identity import from_bytes
from schemas.seal import SealError


class ReturnPaths:
    """Reads reverse-paths that the outbound stage made."""

    def __init__(
        self, keys: KeyStore, content: ContentStore, fingerprint: Fingerprint, clock: Clock
    ) -> None:
        self._keys = keys
        self._content = content
        self._fingerprint = fingerprint
        self._clock = clock

    def sender(self, address: str) -> str:
        """Return the sender that a reverse-path of ours stands for, "" when it stands for none.

        One that names a mail stands for nobody once that is erased. Raises EngineDown.
        """
        try:
            found = restored(address, self._clock(), self._fingerprint.forwarded)
        except SrsError:
            return ""
        return self._of_mail(from_bytes(found.mail)) if isinstance(found, Named) else found.address

    def _of_mail(self, mail_id: str) -> str:
        content = self._content.get([mail_id]).get(mail_id)
        key = self._keys.get([mail_id]).get(mail_id)
        if content is None or key is None:
            return ""
        try:
            return open_received(cast("Received", content.received.decode()), key).reverse_path
        except SealError:
            return ""
