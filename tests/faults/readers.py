"""REST clients that change flags and repeat each call, with its key, until it is answered."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

Change = tuple[str, str]
"""What was added or removed ("+", "-"), and the flag or label."""

PATIENCE = 60.0
_PAUSE = 0.05
_KINDS: dict[str, tuple[str, bool]] = {"seen": ("isRead", True), "flagged": ("isStarred", True)}


@dataclass
class Changed:
    """What was acknowledged of one message."""

    changes: list[Change] = field(default_factory=list[Change])
    has: set[str] = field(default_factory=set[str])


class Reader:
    """Reads one mailbox and changes its messages, one change after another."""

    def __init__(
        self, where: Callable[[], tuple[str, int]], token: str, label: str, rng: random.Random
    ) -> None:
        """`label` is the id of a user's label in the mailbox."""
        self._where = where
        self._token = token
        self._label = label
        self._rng = rng
        self._known: list[str] = []
        self.acknowledged: dict[str, Changed] = {}
        self.repeats = 0

    async def run(self, permits: asyncio.Queue[bool]) -> None:
        """Make a change for each permit, until one is False."""
        async with httpx.AsyncClient(
            headers={"Authorization": f"Bearer {self._token}"}, timeout=PATIENCE
        ) as client:
            while await permits.get():
                await self._change(client)

    async def _change(self, client: httpx.AsyncClient) -> None:
        while len(self._known) < 20 or self._rng.random() < 0.2:
            page = await self._until_answered(client, "GET", "/mailboxes/me/messages")
            self._known = [m["id"] for m in page["messages"]]
            if self._known:
                break
            await asyncio.sleep(_PAUSE)
        message = self._rng.choice(self._known)
        told = self.acknowledged.setdefault(message, Changed())
        kind = self._rng.choice(("seen", "flagged", self._label))
        adding = kind not in told.has
        body: dict[str, Any]
        if kind in _KINDS:
            body = {_KINDS[kind][0]: adding}
        else:
            body = {("addLabelIds" if adding else "removeLabelIds"): [kind]}
        # The last of them to be answered is 200: it is visible by then.
        await self._until_answered(client, "POST", f"/messages/{message}/modify", body)
        told.changes.append(("+" if adding else "-", kind))
        (told.has.add if adding else told.has.remove)(kind)

    async def _until_answered(
        self, client: httpx.AsyncClient, method: str, path: str, body: Any = None
    ) -> Any:
        headers = {"Idempotency-Key": uuid.uuid4().hex} if body is not None else {}
        while True:
            host, port = self._where()
            try:
                answer = await client.request(
                    method, f"http://{host}:{port}/api/v1{path}", json=body, headers=headers
                )
            except httpx.TimeoutException:
                raise
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 200:
                return answer.json()
            assert answer is None or answer.status_code in (202, 503), answer.text
            self.repeats += 1
            await asyncio.sleep(_PAUSE)
