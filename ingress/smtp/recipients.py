"""Whom a forward-path reaches: asked of the directory off the event loop, remembered shortly."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence, Set

from infra.ports import Clock, Directory, Recipient, Room
from ingress.smtp import replies
from ingress.smtp.paths import POSTMASTER, Path
from ingress.smtp.replies import Reply
from ingress.smtp.returning import ReturnPaths
from mail.addresses import split_address
from mail.srs import is_rewritten
from schemas.parts import Forward

Reach = Sequence[Recipient | Forward]
"""What a forward-path reaches: mailboxes of ours, and addresses on other hosts; one at least."""

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
        returns: ReturnPaths | None = None,
    ) -> None:
        """With `returns`, bounces to reverse-paths of forwarded mail go back to its sender."""
        self._returns = returns
        self._room = room
        self._full_later = full_later
        self._directory = directory
        self._clock = clock
        self._hostname = hostname
        self._postmaster = postmaster
        self._keep = int(keep * _SECOND)
        self._known: OrderedDict[str, tuple[int, Reach]] = OrderedDict()

    async def resolve(self, path: Path, *, of_nobody: bool = False) -> Reach | Reply:
        """Return all that the path reaches, or the reply that refuses it. Raises EngineDown.

        `of_nobody` says that the mail has the null reverse-path.
        """
        now = self._clock()
        remembered = self._known.get(path.address)
        if remembered is not None and remembered[0] > now:
            return remembered[1]
        answer = await asyncio.to_thread(self._ask, path, of_nobody)
        # A reverse-path of ours is for bounces alone, so what it reaches depends on the mail.
        if not isinstance(answer, Reply) and not is_rewritten(path.address):
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

    def _ask(self, path: Path, of_nobody: bool) -> Reach | Reply:
        address = f"postmaster@{self._hostname}" if path is POSTMASTER else path.address
        found = self._directory.reach(address)
        if found:
            return self._with_room(found)
        ours = path is POSTMASTER or self._directory.hosts(path.domain)
        if not ours:
            return replies.RELAYING_DENIED
        # RFC 5321 section 4.5.1: postmaster is a recipient at every domain that is served.
        if address.partition("@")[0].lower() == "postmaster":
            found = self._stand_in()
        elif self._returns is not None and is_rewritten(address):
            return self._back(address, self._returns, of_nobody)
        return self._with_room(found) if found else replies.NO_SUCH_USER

    def _back(self, address: str, returns: ReturnPaths, of_nobody: bool) -> Reach | Reply:
        sender = returns.sender(address)
        if not sender:
            return replies.NO_SUCH_USER
        # RFC 5321 section 6.1: a bounce has the null reverse-path. Anything else would use us to
        # reach somebody who never wrote to it.
        if not of_nobody:
            return replies.ONLY_BOUNCES
        if self._directory.hosts(split_address(sender)[1]):
            local = self._directory.resolve(sender)
            return self._with_room((local,)) if local else replies.NO_SUCH_USER
        return (Forward(by="return", alias=address, address=sender),)

    def _with_room(self, found: Reach) -> Reach | Reply:
        if self._room is None or self._full_later:
            return found
        for one in found:
            if isinstance(one, Recipient) and self._room.left(one.mailbox_id) <= 0:
                return replies.OVER_QUOTA
        return found

    def _stand_in(self) -> Reach:
        found = self._directory.reach(self._postmaster) if self._postmaster else ()
        if found:
            return found
        accounts = self._directory.accounts()
        if not accounts:
            return ()
        oldest = min(accounts, key=lambda a: (a.created_at, a.address))
        return (Recipient(oldest.mailbox_id, oldest.address, ""),)
