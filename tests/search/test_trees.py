"""Generated queries over real mail: the index, a filter and the naive model answer the same."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from mail.message import digest
from mail.query import tree as t
from mail.query.document import Document, Letter, document_of
from mail.query.language import parse
from mail.query.match import Facts, in_labels, matches
from mail.query.tokens import tokens
from mail.query.tree import written
from projections.search.letters import Letters
from projections.search.ports import SearchReader
from projections.search.sqlite import SqliteSearchProjection
from projections.search.sqlite_reader import SqliteSearchReader
from schemas.labels import SYSTEM_LABELS
from schemas.parts import Digest
from streams.inbound.digest import to_record
from streams.mailbox.delivery import attachment_count
from streams.mailbox.preparation import Asks
from tests.contracts.search import NOW, Store, feed, found
from tests.corpora import corpora, corpus_files
from tests.dovecot import messages
from tests.fakes import FINGERPRINT
from tests.search.mails import HOUR, ContentOf, Letterbox, mail
from tests.search.naive import Message, Naive

TREES = 2000
FILTERS = 800
_SHARDS = 8

_MADE = [
    mail(
        "株式会社サンプルの田中です。会議室の予約を10時に変更しました。\nよろしくお願いします。\n",
        subject="会議室の予約について (変更)",
        author="田中 花子 <tanaka@example.jp>",
    ),
    mail("请确认附件中的合同，2024年5月之前回复。谢谢！\n", subject="合同 v2.0"),
    mail("회의 일정이 변경되었습니다. 10시에 뵙겠습니다.\n", subject="회의 일정"),
    mail(
        "Čeština: příliš žluťoučký kůň úpěl ďábelské ódy. naïve café, Ærøskøbing.\n",
        subject="Příliš žluťoučký",
        author="Jiří Ďuriš <jiri.duris@example.cz>",
        Cc="Zoë Müller-Lüdenscheidt <zoe@müller.example>",
    ),
    mail("Съешь ещё этих мягких французских булок, да выпей чаю.\n", subject="Ёлка"),
    mail("ﬁrst ﬂoor, ½ price™ — “quoted” e‑mail… don’t\n", subject="Re: [x-list] C++ & #42"),
    mail("東京tower2号館 ABC会議DEF ｶﾀｶﾅ\n", subject="mixed 東京 tower"),
    mail("ราคาพิเศษ สำหรับคุณ\n", subject="ไทย"),
]


def _raws() -> Iterator[bytes]:
    for folder in sorted(corpora("threading").iterdir()):
        yield from messages(folder)
    for path in corpus_files("mime", pattern="*.*"):
        if path.suffix in (".msg", ".eml", ".raw"):
            yield path.read_bytes()
    yield from _MADE


@dataclass
class World:
    """Mail in an index and before the naive model, and words that are in it."""

    reader: SearchReader
    mailbox_id: str
    naive: Naive
    texts: list[str]
    filtered: dict[str, Arrived]


@dataclass
class Arrived:
    """A mail as a filter meets it, with and without its content."""

    digest: Digest
    facts: Facts
    whole: Document


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    rng = random.Random(0)
    box = Letterbox()
    label = box.label("Ürlaub & Reise")
    found_messages: list[Message] = []
    filtered: dict[str, Arrived] = {}
    names = {x: x for x in SYSTEM_LABELS} | {label: "Ürlaub & Reise"}
    for raw in _raws():
        labels = rng.choice(
            (["INBOX", "ALL"], ["ALL", label], ["SENT", "ALL"], ["SPAM"], ["TRASH"])
        )
        flags = rng.sample(("seen", "flagged"), rng.choice((0, 1, 2)))
        when = NOW - rng.randrange(800 * 24) * HOUR
        identity = box.deliver(raw, date=when, labels=labels, flags=flags)
        found_messages.append(Message.of(raw, identity, when, len(raw), labels, flags))
        read = to_record(digest(raw))
        facts = Facts(
            document=document_of(read, None),
            in_label=in_labels(labels, names),
            is_read="seen" in flags,
            is_starred="flagged" in flags,
            has_attachment=attachment_count(read) > 0,
            size=len(raw),
            internal_date=when,
            now=NOW,
        )
        filtered[identity] = Arrived(read, facts, document_of(read, Letter.of(raw)))
    path: Path = tmp_path_factory.mktemp("search") / "search.db"
    letters = Letters(ContentOf(box.stores), box.stores.keys, box.stores, FINGERPRINT)
    projection = SqliteSearchProjection(path, box.stores.keys, letters, shard=100)
    reader = SqliteSearchReader(lambda: path, letters, lambda: NOW)
    feed(Store(projection, reader), box.records())
    texts = [text for raw in _raws() for text in _words_of(raw)]
    naive = Naive(found_messages, NOW, {label: "Ürlaub & Reise"})
    yield World(reader, box.mailbox_id, naive, texts, filtered)
    reader.close()
    projection.close()


def _words_of(raw: bytes) -> list[str]:
    text = raw.decode("utf-8", "replace")
    head, _, body = text.partition("\r\n\r\n" if "\r\n\r\n" in text else "\n\n")
    return [head[:2000], body[:4000]]


class Draw:
    """Draws trees whose words stand in the mail, whole, cut, accented and in any case."""

    def __init__(self, seed: int, texts: list[str]) -> None:
        self._random = random.Random(seed)
        self._texts = texts

    def tree(self, depth: int = 0) -> t.Node:
        drawn = self._random.random()
        if depth < 3 and drawn < 0.5:
            children = [self.tree(depth + 1) for _ in range(self._random.choice((2, 2, 3)))]
            return t.all_of(children) if drawn < 0.28 else t.any_of(children)
        if drawn < 0.62:
            return t.Not(self.tree(depth + 1))
        return self._leaf()

    def _leaf(self) -> t.Node:
        rng = self._random
        drawn = rng.random()
        if drawn < 0.72:
            return self._text()
        if drawn < 0.80:
            names = ("inbox", "SENT", "spam", "trash", "urlaub-reise", "anywhere", "nothing")
            return t.Label(rng.choice(names))
        if drawn < 0.86:
            return t.Is(rng.choice(t.STATES))
        if drawn < 0.89:
            return t.HasAttachment()
        if drawn < 0.93:
            return t.Size(rng.choice(("larger", "smaller")), rng.choice((500, 2000, 5000, 20000)))
        if drawn < 0.97:
            day = date(2023, 12, 25) - timedelta(days=rng.randrange(800))
            return t.Dated(rng.choice(("after", "before")), day)
        return t.Aged(
            rng.choice(("older_than", "newer_than")), rng.randrange(90), rng.choice("dwm")
        )

    def _text(self) -> t.Text:
        rng = self._random
        while True:
            text = rng.choice(self._texts)
            if not text.strip():
                continue
            start = rng.randrange(len(text))
            start = text.rfind(" ", 0, start) + 1 if rng.random() < 0.8 else start
            words = re.split(r"(\s+)", text[start : start + 80])
            phrase = "".join(words[: rng.choice((1, 1, 1, 3, 3, 5))]).replace("\ufffd", "")
            prefix = rng.random() < 0.25
            if prefix and len(phrase) > 3:
                phrase = phrase[: rng.randrange(2, len(phrase))]
            phrase = self._changed(phrase)
            if tokens(phrase):
                field = rng.choice((None, None, None, "body", *t.FIELDS))
                return t.Text(phrase, field, prefix)

    def _changed(self, text: str) -> str:
        rng = self._random
        drawn = rng.random()
        if drawn < 0.2:
            return text.upper()
        if drawn < 0.3:
            return text.replace("e", "é").replace("a", "a\u0308")
        if drawn < 0.4:
            return f"<{text}!>"
        return text


@pytest.mark.parametrize("shard", range(_SHARDS))
def test_generated_queries_agree_with_the_naive_evaluator(world: World, shard: int) -> None:
    hits = 0
    for n in range(TREES // _SHARDS):
        tree = Draw(shard * 100_000 + n, world.texts).tree()
        query = written(tree)
        expected = world.naive.search(tree)
        answer = found(world.reader, world.mailbox_id, query, limit=500)
        assert answer == expected, query
        hits += 0 < len(expected) < len(world.naive.messages)
    # Queries that find nothing, or all, would agree whatever the index holds.
    assert hits > TREES // _SHARDS // 3


def _asked(tree: t.Node, arrived: Arrived) -> Facts:
    """Return what a filter looks at: the content where its query asks for it, else the digest."""
    asked = Asks.of([tree])
    if asked.content or (asked.lists and arrived.digest.truncated):
        return replace(arrived.facts, document=arrived.whole)
    return arrived.facts


@pytest.mark.parametrize("shard", range(_SHARDS))
def test_a_filter_matches_what_a_search_finds(world: World, shard: int) -> None:
    matched = 0
    for n in range(FILTERS // _SHARDS):
        tree = Draw(7_000_000 + shard * 100_000 + n, world.texts).tree()
        query = written(tree)
        read = parse(query)
        hits = {i for i, x in world.filtered.items() if matches(read, _asked(read, x))}
        answer = found(world.reader, world.mailbox_id, query, limit=500, include_spam=True)
        assert hits == set(answer), query
        assert hits == set(world.naive.search(tree, include_spam=True)), query
        matched += 0 < len(hits) < len(world.filtered)
    assert matched > FILTERS // _SHARDS // 3


def test_every_word_of_every_message_finds_it(world: World) -> None:
    rng = random.Random(5)
    for message in rng.sample(list(world.naive.messages), 100):
        spoken = [
            (name, u[0])
            for name, entries in message.entries.items()
            for entry in entries
            for u in entry.units
            if not u[1]
        ]
        for name, word in rng.sample(spoken, min(5, len(spoken))):
            tree = t.Text(word, name)
            answer = found(
                world.reader, world.mailbox_id, written(tree), limit=500, include_spam=True
            )
            assert message.message_id in answer, (word, name)
