"""Whom a forward-path reaches: asked of the directory off the event loop, remembered shortly."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Set

from infra.ports import Clock, Directory, Recipient, Room
from ingress.smtp import replies
from ingress.smtp.paths import POSTMASTER, Path
from ingress.smtp.replies import Reply

_REMEMBERED = 10_000
_SECOND = 1_000_000


class Recipients:
    """Resolves forward-paths.

    An address that was found is remembered for `keep` seconds, one that was not is asked for
    again each time: a new account gets mail at once. `postmaster` is the address that stands in
    for <postmaster> and for postmaster at a domain of ours, when the directory knows none; without
    it the oldest account does, which is the one of whoever set the system up. With `room` a full
    mailbox is refused, unless that is `full_later`: then it is for who asks `full`.
    """

    def __init__(
        self,
        directory: Directory,
        clock: Clock,
        *,
        hostname: str,
        postmaster: str = "",
        keep: float = 1.0,
        room: Room | None = None,
        full_later: bool = False,
    ) -> None:
        self._room = room
        self._full_later = full_later
        self._directory = directory
        self._clock = clock
        self._hostname = hostname
        self._postmaster = postmaster
        self._keep = int(keep * _SECOND)
        self._known: OrderedDict[str, tuple[int, Recipient]] = OrderedDict()

    async def resolve(self, path: Path) -> Recipient | Reply:
        """Return the recipient, or the reply that refuses the path. Raises EngineDown."""
        now = self._clock()
        remembered = self._known.get(path.address)
        if remembered is not None and remembered[0] > now:
            return remembered[1]
        answer = await asyncio.to_thread(self._ask, path)
        if isinstance(answer, Recipient):
            self._known[path.address] = (now + self._keep, answer)
            self._known.move_to_end(path.address)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return answer

    async def full(self, mailboxes: Set[str]) -> frozenset[str]:
        """Return those of `mailboxes` that have no room. Raises EngineDown."""
        room = self._room
        if room is None:
            return frozenset()
        return await asyncio.to_thread(lambda: frozenset(m for m in mailboxes if room.left(m) <= 0))

    def _ask(self, path: Path) -> Recipient | Reply:
        address = f"postmaster@{self._hostname}" if path is POSTMASTER else path.address
        found = self._directory.resolve(address)
        if found is not None:
            return self._with_room(found)
        ours = path is POSTMASTER or self._directory.hosts(path.domain)
        if not ours:
            return replies.RELAYING_DENIED
        # RFC 5321 section 4.5.1: postmaster is a recipient at every domain that is served.
        if address.partition("@")[0].lower() == "postmaster":
            found = self._stand_in()
        return replies.NO_SUCH_USER if found is None else self._with_room(found)

    def _with_room(self, found: Recipient) -> Recipient | Reply:
        if self._room is None or self._full_later or self._room.left(found.mailbox_id) > 0:
            return found
        return replies.OVER_QUOTA

    def _stand_in(self) -> Recipient | None:
        found = self._directory.resolve(self._postmaster) if self._postmaster else None
        if found is not None:
            return found
        accounts = self._directory.accounts()
        if not accounts:
            return None
        oldest = min(accounts, key=lambda a: (a.created_at, a.address))
        return Recipient(oldest.mailbox_id, oldest.address, "")
