"""Mails by number that read like real ones: texts of the corpora, each varied, with new people.

What a body says is taken from the spam corpora: the lines of one text, some put out for lines of
another, and a few words that no other mail has. So the words come in the proportions of real mail,
and rare ones go on coming however many mails there are. Without the corpora the words are made up.
"""

from __future__ import annotations

import random
import tarfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from mail.parts import parse
from mail.text import body_text
from tests.bench.search import Mails
from tests.corpora import corpora_root

START = 1_600_000_000_000_000
"""When the first mail came, in microseconds."""
PEOPLE = 50_000
_MINUTE = 60_000_000
_LINE = 400
_LONGEST = 20_000


def texts() -> list[list[str]]:
    """Return texts to vary, as lists of lines: of the corpora, made up where those are not."""
    return corpus_texts() or made_up_texts()


def made_up_texts(count: int = 500) -> list[list[str]]:
    """Return texts of words by Zipf's law."""
    rng = random.Random(5)
    mails = Mails()
    return [
        [" ".join(mails.text(rng, 12)) for _ in range(rng.randrange(2, 40))] for _ in range(count)
    ]


def corpus_texts() -> list[list[str]]:
    """Return the texts of the spam corpora; empty without the corpora."""
    folder = corpora_root() / "spam"
    found: list[list[str]] = []
    for archive in sorted(folder.glob("*.tar.gz")):
        # Those are for evaluation alone.
        if archive.name.startswith("phishing"):
            continue
        with tarfile.open(archive) as f:
            for member in f:
                data = None if not member.isfile() else f.extractfile(member)
                if data is None:
                    continue
                lines = list(_lines(data.read()))
                if lines:
                    found.append(lines)
    return found


def _lines(raw: bytes) -> Iterator[str]:
    text = body_text(raw, parse(raw)) or raw.decode("latin-1")
    for line in text[:_LONGEST].split("\n"):
        yield from (line[i : i + _LINE] for i in range(0, len(line), _LINE))


class Variation:
    """Mails by number; a number gives the same mail at each call."""

    def __init__(self, texts: Sequence[Sequence[str]], seed: int = 0) -> None:
        """`texts` are lines of text to draw from."""
        self._texts = texts
        self._seed = seed
        words = {w for t in texts for x in t[:5] for w in x.split() if w.isalpha() and w.isascii()}
        self._names = sorted(w.title() for w in words if 3 < len(w) < 12)

    def date(self, n: int) -> int:
        """Return when mail `n` came, in microseconds: about a minute after the one before."""
        return START + n * _MINUTE + random.Random(n).randrange(_MINUTE)

    def person(self, n: int) -> tuple[str, str]:
        """Return name and address of person `n`; half of them are at a few large providers."""
        rng = random.Random(-1 - n)
        first, last = rng.choice(self._names), rng.choice(self._names)
        large = rng.random() < 0.5
        domain = f"big{rng.randrange(5)}.example" if large else f"{rng.choice(self._names)}.example"
        return f"{first} {last}", f"{first}.{last}{n}@{domain}".lower()

    def lines(self, n: int) -> list[str]:
        """Return the text of mail `n`."""
        rng = random.Random(f"{self._seed}.{n}")
        lines = list(rng.choice(self._texts))
        other = rng.choice(self._texts)
        for _ in range(1 + len(lines) // 4):
            lines[rng.randrange(len(lines))] = rng.choice(other)
        lines.insert(rng.randrange(len(lines) + 1), f"{rng.getrandbits(40):x} {n:x}")
        if rng.random() < 0.4:
            lines += ["", "They wrote:", *(f"> {line}" for line in rng.choice(self._texts))]
        return lines

    def raw(self, n: int) -> bytes:
        """Return mail `n` with CRLF line ends; four of ten answer one of the 500 before it."""
        rng = random.Random(n)
        # Half of the mail is of two hundred people.
        who = rng.randrange(200) if rng.random() < 0.5 else rng.randrange(PEOPLE)
        name, address = self.person(who)
        lines = self.lines(n)
        subject = " ".join(" ".join(lines[:4]).split()[:6])[:78]
        head = [
            f"From: {name} <{address}>",
            "To: Load <load@example.test>",
            f"Subject: {_ascii(subject) or n}",
            f"Date: {format_datetime(datetime.fromtimestamp(self.date(n) // 1_000_000, UTC))}",
            f"Message-ID: <{n}@{address.partition('@')[2]}>",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 8bit",
        ]
        if n and rng.random() < 0.4:
            parent = rng.randrange(max(0, n - 500), n)
            head.append(f"References: <{parent}@{self._host(parent)}>")
        text = "\r\n".join((*head, "", *lines, ""))
        return text.encode("utf-8", "replace")

    def _host(self, n: int) -> str:
        rng = random.Random(n)
        who = rng.randrange(200) if rng.random() < 0.5 else rng.randrange(PEOPLE)
        return self.person(who)[1].partition("@")[2]


def _ascii(text: str) -> str:
    return "".join(c for c in text if " " <= c < "\x7f")
