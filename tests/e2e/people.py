"""A person who gets mail and tidies up at random, over SMTP and REST alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from random import Random
from typing import Any

import httpx

from tests.e2e.suite import messages
from tests.system import System, mail, wait_until

_BINS = ("SPAM", "TRASH")


class Person:
    """One account of a running installation; `seed` says what it will do."""

    def __init__(self, system: System, api: httpx.Client, address: str, seed: int) -> None:
        self._system = system
        self._api = api
        self._address = address
        self._random = Random(seed)
        self._sent: list[str] = []
        self._gone: list[str] = []
        self._labels: list[str] = []

    def act(self, times: int) -> None:
        """Do something so many times, each seen to be done before the next."""
        weighted = (
            *(self._get,) * 5,
            *(self._change,) * 6,
            *(self._batch, self._delete, self._restore, self._move) * 2,
            *(self._label, self._unlabel, self._erase),
        )
        self._get()
        for _ in range(times):
            self._random.choice(weighted)()

    def _call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Make a call until its effect is there, which takes long on a machine that is busy."""
        key = {"Idempotency-Key": uuid.uuid4().hex}
        while True:
            answer = self._api.request(method, path, headers=key, **more)
            if answer.status_code != 202:
                return answer

    def _some(self) -> str | None:
        found = messages(self._api, maxResults=60, includeSpam=True)
        return self._random.choice(found)["id"] if found else None

    def _get(self) -> None:
        r, ident = self._random, f"<{uuid.uuid4()}@sender.example>"
        headers = {"Message_ID": ident}
        if self._sent and r.random() < 0.5:
            headers["References"] = " ".join(r.sample(self._sent, min(len(self._sent), 2)))
        subject = r.choice(("Plan", "Re: Plan", "Lunch", "Fwd: lunch", ident[1:9]))
        before = self._api.get("/mailboxes/me").json()["counts"]["messages"]
        self._system.send(mail(subject, f"about {ident}\r\n", **headers), [self._address])
        self._sent.append(ident)
        wait_until(
            lambda: self._api.get("/mailboxes/me").json()["counts"]["messages"] == before + 1
        )

    def _on_one(self, act: Callable[[str], httpx.Response]) -> None:
        message = self._some()
        if message is not None:
            answer = act(message)
            # What makes no sense at the moment is refused.
            assert answer.status_code in (200, 400, 404, 409), answer.text

    def _a_change(self) -> dict[str, Any]:
        r = self._random
        known = ["INBOX", "SENT", *_BINS, *self._labels]
        body: dict[str, Any] = {"isRead": r.random() < 0.5}
        if r.random() < 0.5:
            body["isStarred"] = r.random() < 0.5
        if r.random() < 0.6:
            body["addLabelIds"] = [r.choice(known)]
        if r.random() < 0.3:
            body["removeLabelIds"] = [r.choice(known)]
        return body

    def _change(self) -> None:
        body = self._a_change()
        self._on_one(lambda m: self._call("POST", f"/messages/{m}/modify", json=body))

    def _batch(self) -> None:
        ids = [m["id"] for m in messages(self._api, maxResults=20, includeSpam=True)]
        if ids:
            body = {"ids": self._random.sample(ids, min(len(ids), 7)), **self._a_change()}
            answer = self._call("POST", "/mailboxes/me/messages/batchModify", json=body)
            assert answer.status_code in (200, 400, 409), answer.text

    def _delete(self) -> None:
        def act(message: str) -> httpx.Response:
            answer = self._call("DELETE", f"/messages/{message}")
            if answer.json().get("status") == "expunged":
                self._gone.append(message)
            return answer

        self._on_one(act)

    def _restore(self) -> None:
        if self._gone:
            message = self._gone.pop(self._random.randrange(len(self._gone)))
            assert self._call("POST", f"/messages/{message}/restore").status_code == 200

    def _erase(self) -> None:
        self._on_one(lambda m: self._call("DELETE", f"/messages/{m}", params={"erase": True}))

    def _move(self) -> None:
        found = messages(self._api, maxResults=30, includeSpam=True)
        target = self._random.choice(found)["threadId"] if found else None
        body = {"threadId": self._random.choice((target, None))}
        self._on_one(lambda m: self._call("POST", f"/messages/{m}/thread", json=body))

    def _label(self) -> None:
        answer = self._call("POST", "/mailboxes/me/labels", json={"name": uuid.uuid4().hex[:9]})
        self._labels.append(answer.json()["id"])

    def _unlabel(self) -> None:
        if self._labels:
            label = self._labels.pop(self._random.randrange(len(self._labels)))
            assert self._call("DELETE", f"/mailboxes/me/labels/{label}").status_code == 204
