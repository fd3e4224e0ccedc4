"""The end of a mail: its keys, its large parts and its content go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from infra.ports import Clock, ContentStore, KeyStore, PartGarbage
from schemas.events import Received
from streams.lifecycle.copies import Copies, ended, needed_by


class Ending:
    """Finds the mails that nobody needs any more, and destroys them. Idempotent."""

    def __init__(
        self, keys: KeyStore, content: ContentStore, garbage: PartGarbage, clock: Clock
    ) -> None:
        self._keys = keys
        self._content = content
        self._garbage = garbage
        self._clock = clock

    def ended(self, copies: Mapping[str, Copies], mail_ids: Iterable[str]) -> list[str]:
        """Return those of `mail_ids` that have ended. Raises EngineDown."""
        asked = list(mail_ids)
        contents = self._content.get(asked)
        found: list[str] = []
        for mail_id in asked:
            content = contents.get(mail_id)
            wanted = (
                None if content is None else needed_by(cast("Received", content.received.decode()))
            )
            if ended(copies[mail_id], wanted):
                found.append(mail_id)
        return found

    def destroy(self, messages: Sequence[str], mails: Sequence[str]) -> None:
        """Destroy what opens these messages and mails, then what is left. Raises EngineDown."""
        if messages or mails:
            self._keys.destroy([*messages, *mails])
        if mails:
            self._garbage.release(mails, self._clock())
            # Last, for its absence says that all of this is done.
            self._content.remove(mails)
