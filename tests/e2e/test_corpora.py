"""Whole collections of real mail go through the real system: none is lost, failed or altered."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.barrier import VARIABLE
from mail.segments import join
from mailfold.settings import load
from mailfold.wiring import open_house
from schemas.codec import decode_as
from schemas.content import open_received, original
from schemas.events import Received
from schemas.topics import MAIL_RECEIVED, TOPICS
from tests.corpora import corpora
from tests.e2e.collections import (
    THREADING,
    messages_in,
    mime_paths,
    spamassassin_messages,
    spamassassin_path,
    threading_messages,
    threading_paths,
)
from tests.streams.mailbox.test_threading_oracles import by_dovecot, by_notmuch
from tests.system import System, wait_until

SAMPLE = 60
"""Of how many messages of a large collection REST is asked for the text."""

_COUNTS = re.compile(r"(\d+) new, (\d+) known, (\d+) failed\n")


@dataclass
class Collection:
    """One collection in a mailbox of its own."""

    system: System
    address: str
    paths: Sequence[Path]
    expected: Sequence[bytes]
    """All its messages as an independent reader finds them, repeats included."""

    @property
    def distinct(self) -> set[bytes]:
        return set(self.expected)

    def bring_in(self) -> tuple[int, int, int]:
        """Import it; return how many were new, known and failed."""
        words = [str(p) for p in self.paths]
        done = self.system.run("import", *words, "--to", self.address, timeout=900, check=False)
        m = _COUNTS.fullmatch(done.stdout)
        assert m is not None, done.stdout + done.stderr
        return int(m[1]), int(m[2]), int(m[3])

    def wait(self) -> None:
        """Return when everything is listed."""
        with self.system.api(self.address) as api:
            wait_until(
                lambda: total(api) == len(self.distinct),
                seconds=240,
                what=f"{len(self.distinct)} messages of {self.address} are listed",
            )


def labels(api: httpx.Client) -> dict[str, dict[str, Any]]:
    rows = api.get("/mailboxes/me/labels").raise_for_status().json()["labels"]
    return {row["id"]: row for row in rows}


def total(api: httpx.Client) -> int:
    rows = labels(api)
    return sum(rows[name]["messagesTotal"] for name in ("ALL", "SPAM", "TRASH"))


def listed(api: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    """All messages of a listing, page by page."""
    found: list[dict[str, Any]] = []
    token: str | None = None
    while True:
        asked = {"maxResults": 500, **query, **({"pageToken": token} if token else {})}
        page = api.get("/mailboxes/me/messages", params=asked).raise_for_status().json()
        found += page["messages"]
        token = page["nextPageToken"]
        if token is None:
            return found


def text_of(api: httpx.Client, ident: str) -> bytes:
    answer = api.get(f"/messages/{ident}", params={"format": "original"})
    return answer.raise_for_status().content


def in_log(system: System, address: str) -> Counter[bytes]:
    """SHA-256 of every mail for `address` that the log holds, opened in this process."""
    found: Counter[bytes] = Counter()
    with open_house(load(data=system.data)) as house:
        account = house.directory.account(address)
        assert account is not None
        reader = house.log.reader(MAIL_RECEIVED, {})
        while records := reader.poll(500, 0.0):
            for record in records:
                received = decode_as(Received, record.value)
                if received.mailboxes != [account.mailbox_id]:
                    continue
                key = house.keys.get([received.mail_id])[received.mail_id]
                secret = open_received(received, key)
                raw = original(secret, house.parts.get, house.fingerprint, join)
                assert len(raw) == received.size
                found[sha256(raw).digest()] += 1
        reader.close()
    return found


def hashes(messages: Sequence[bytes] | set[bytes]) -> Counter[bytes]:
    return Counter(sha256(m).digest() for m in messages)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    corpora()
    made = System(tmp_path_factory.mktemp("corpora") / "data")
    made.start()
    yield made
    assert made.run("dead", "list").stdout == ""
    assert made.run("projection", "verify", "mailbox", timeout=600).returncode == 0
    assert made.stop() == 0


class Imported:
    """What holds of every collection."""

    @pytest.fixture(scope="class")
    @classmethod
    def collection(cls, system: System) -> Collection:
        raise AssertionError("each class names its collection")

    def test_none_is_lost_failed_or_altered(self, collection: Collection) -> None:
        assert in_log(collection.system, collection.address) == hashes(collection.distinct)

    def test_what_rest_gives_back_is_what_came(self, collection: Collection) -> None:
        with collection.system.api(collection.address) as api:
            found = listed(api, includeSpam=True, labelIds="ALL")
            found += listed(api, labelIds="SPAM")
            step = max(1, len(found) // SAMPLE) if len(found) > 500 else 1
            texts = [text_of(api, m["id"]) for m in found[::step]]
        assert len({m["id"] for m in found}) == len(found) == len(collection.distinct)
        assert set(texts) <= collection.distinct
        assert len(set(texts)) == len(texts)
        if step == 1:
            assert set(texts) == collection.distinct

    def test_every_message_can_be_shown_in_full(self, collection: Collection) -> None:
        with collection.system.api(collection.address) as api:
            found = listed(api, includeSpam=True)
            for message in found[:: max(1, len(found) // SAMPLE)]:
                shown = api.get(f"/messages/{message['id']}", params={"format": "full"})
                assert shown.status_code == 200
                assert shown.json()["snippet"] == message["snippet"]

    def test_counts_are_the_lengths_of_the_lists(self, collection: Collection) -> None:
        with collection.system.api(collection.address) as api:
            for name, row in labels(api).items():
                found = listed(api, labelIds=name)
                assert len(found) == row["messagesTotal"], name
                assert sum(not m["isRead"] for m in found) == row["messagesUnread"], name

    def test_a_second_import_changes_nothing(self, collection: Collection) -> None:
        before = ends(collection.system)
        assert collection.bring_in() == (0, len(collection.expected), 0)
        assert ends(collection.system) == before


def brought(system: System, name: str, paths: Sequence[Path], raw: Sequence[bytes]) -> Collection:
    made = Collection(system, system.add_account(name), paths, raw)
    repeats = len(raw) - len(set(raw))
    assert made.bring_in() == (len(set(raw)), repeats, 0)
    made.wait()
    return made


def agreement(
    ours: Mapping[int, Any], notmuch: Mapping[int, int], dovecot: Mapping[int, int]
) -> tuple[int, int, int, int]:
    """How many pairs, and how many messages, agree with the oracles where these agree.

    A pair agrees when it is in one thread for us as for both; a message, when the whole set of
    those in its thread is the same. Returns (right pairs, pairs, right messages, messages).
    """
    shared = sorted(ours.keys() & notmuch.keys() & dovecot.keys())
    pairs = [
        (a, b)
        for a, b in combinations(shared, 2)
        if (notmuch[a] == notmuch[b]) == (dovecot[a] == dovecot[b])
    ]
    right = sum((ours[a] == ours[b]) == (notmuch[a] == notmuch[b]) for a, b in pairs)

    def group(threads: Mapping[int, Any], one: int) -> set[int]:
        return {other for other in shared if threads[other] == threads[one]}

    whole = [m for m in shared if group(notmuch, m) == group(dovecot, m)]
    same = sum(group(ours, m) == group(notmuch, m) for m in whole)
    return right, len(pairs), same, len(whole)


@pytest.mark.parametrize("collection", THREADING, indirect=True, scope="class")
class TestCorrespondence(Imported):
    @pytest.fixture(scope="class")
    @classmethod
    def collection(cls, system: System, request: pytest.FixtureRequest) -> Collection:
        raw = list(threading_messages(request.param).values())
        return brought(system, request.param, threading_paths(request.param), raw)


def test_threads_agree_where_two_independent_programs_agree(
    system: System, record_property: Any
) -> None:
    sums = Counter[str]()
    for name in THREADING:
        raw = threading_messages(name)
        folder = corpora("threading", name)
        with system.api(f"{name}@example.test") as api:
            found = listed(api, includeSpam=True)
            thread_of = {text_of(api, m["id"]): m["threadId"] for m in found}
        # SPAM stands alone in a list, yet its messages have threads like any other.
        ours = {uid: thread_of[text] for uid, text in raw.items() if text in thread_of}
        assert len(ours) == len(raw)
        right, pairs, same, whole = agreement(ours, by_notmuch(folder), by_dovecot(folder))
        told = f"{name}: pairs {right}/{pairs}, messages {same}/{whole}"
        print(told)
        record_property(name, told)
        assert right / pairs >= 0.99
        assert same / whole >= 0.99
        sums.update(right=right, pairs=pairs, same=same, whole=whole)
    print(
        f"all: pairs {sums['right'] / sums['pairs']:.4%}, "
        f"messages {sums['same'] / sums['whole']:.4%} of {sums['whole']}"
    )


class SpamAssassin(Imported):
    """Ham and spam as it came, years of it."""

    NAMES: Sequence[str] = ()

    @pytest.fixture(scope="class")
    @classmethod
    def collection(cls, system: System) -> Collection:
        raw = [m for name in cls.NAMES for m in spamassassin_messages(name)]
        paths = [spamassassin_path(name) for name in cls.NAMES]
        return brought(system, f"spamassassin-{len(raw)}", paths, raw)


class TestSpamAssassin(SpamAssassin):
    NAMES = ("hard-ham-1", "spam-1")


@pytest.mark.slow
@pytest.mark.timeout(1800)
class TestRestOfSpamAssassin(SpamAssassin):
    NAMES = ("easy-ham-1", "easy-ham-2", "spam-2")


class TestMime(Imported):
    @pytest.fixture(scope="class")
    @classmethod
    def collection(cls, system: System) -> Collection:
        raw = [m for path in mime_paths() for m in messages_in(path.read_bytes())]
        return brought(system, "mime", mime_paths(), raw)


def test_an_import_that_was_killed_is_completed_by_another(system: System, tmp_path: Path) -> None:
    raw = spamassassin_messages("spam-1")
    address = system.add_account("killed")
    made = Collection(system, address, [spamassassin_path("spam-1")], raw)
    before = received(system)
    (tmp_path / "intake.received").touch()
    importer = subprocess.Popen(
        [sys.executable, "-m", "mailfold", "import", str(made.paths[0]), "--to", address],
        env={**system.environment, VARIABLE: str(tmp_path)},
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: list(tmp_path.glob("intake.received.*")), what="the import has begun")
    os.kill(importer.pid, signal.SIGKILL)
    assert importer.wait() == -signal.SIGKILL
    taken = received(system) - before
    assert 0 < taken < len(raw)
    assert made.bring_in() == (len(raw) - taken, taken, 0)
    made.wait()
    assert in_log(system, address) == hashes(raw)


def received(system: System) -> int:
    return ends(system)[MAIL_RECEIVED]


def ends(system: System) -> dict[str, int]:
    """How many records each topic has had."""
    with open_house(load(data=system.data)) as house:
        return {topic: sum(house.log.end(topic).values()) for topic in TOPICS}
