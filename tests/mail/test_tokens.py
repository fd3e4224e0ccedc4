from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.query.tokens import MAX_TOKEN, fold, pattern, tokens
from tests.search.naive import units

CUTS = [
    ("", []),
    ("Hello, World!", ["hello", "world"]),
    ("ann@mail.Example.test", ["ann", "mail", "example", "test"]),
    ("don't e-mail foo_bar", ["don", "t", "e", "mail", "foo", "bar"]),
    ("3.14 or 1,000 mp3", ["3", "14", "or", "1", "000", "mp3"]),
    ("Ça déjà VU Zoe\u0301", ["ca", "deja", "vu", "zoe"]),
    ("Größe ŁÓDŹ Ærø İstanbul ısı", ["grosse", "lodz", "aero", "istanbul", "isi"]),
    ("Ёлка Ελλάδα", ["елка", "ελλαδα"]),
    ("会議室", ["会議", "議室", "室"]),
    ("第3会議 室", ["第", "3", "会議", "議", "室"]),
    ("ｶﾀｶﾅ カタカナ", ["カタ", "タカ", "カナ", "ナ"] * 2),
    ("が か", ["が", "か"]),
    ("한국어", ["한국", "국어", "어"]),
    ("ﬁne ½ ℡", ["fine", "1", "2", "tel"]),
    ("soft\u00adhyphen zero\u200bwidth", ["softhyphen", "zerowidth"]),
    ("हिन्दी", ["हिन्दी"]),
    ("שָׁלוֹם السَّلامُ", ["שלום", "السلام"]),
    ("👍 great 👍🏽", ["great"]),
    ("\ue000x\ue001", ["x"]),
    (
        "x" * 70 + " naïve-Test_é9\x00\x1fZ" + "ж" * 70,
        ["x" * 64, "naive", "test", "e9", "z" + "ж" * 63],
    ),
]


@pytest.mark.parametrize(("text", "expected"), CUTS)
def test_text_is_cut_into_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


PATTERNS = [
    ("mail", False, ("mail",), False),
    ("mail", True, ("mail",), True),
    ("ann@mail", True, ("ann", "mail"), True),
    ("会", False, ("会",), True),
    ("会議", False, ("会議",), False),
    ("会議", True, ("会議",), False),
    ("会議室", False, ("会議", "議室"), False),
    ("no会x", False, ("no", "会", "x"), False),
    ("会 議", False, ("会", "議"), True),
    ("!", True, (), False),
]


@pytest.mark.parametrize(("text", "asked", "found", "prefix"), PATTERNS)
def test_a_query_asks_for_tokens(
    text: str, asked: bool, found: tuple[str, ...], prefix: bool
) -> None:
    assert pattern(text, asked) == (found, prefix)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_a_token_has_no_space_no_punctuation_and_is_bounded(text: str) -> None:
    for token in tokens(text):
        assert 0 < len(token) <= MAX_TOKEN
        assert not any(c.isspace() or (c.isascii() and not c.isalnum()) for c in token)
        assert token == token.encode().decode()


@given(st.text(alphabet="aB1é\u0301Łß -_'.@会議ガが한ไทย½", max_size=60))
def test_the_naive_reading_of_text_is_the_same(text: str) -> None:
    runs: list[str] = []
    for text_of_unit, joined in units(text):
        if joined:
            runs[-1] += text_of_unit
        else:
            runs.append(text_of_unit)
    cut = [t for run in runs for t in tokens(run)]
    assert tokens(text) == cut


@given(st.text(alphabet="aé 会議がx.", max_size=20))
def test_what_stands_in_a_text_asks_for_a_stretch_of_its_tokens(text: str) -> None:
    found = pattern(text)
    own = tokens(f"x {text} x")
    joined = " ".join(own)
    sought = " ".join(found.tokens)
    assert f" {sought}" in joined


@pytest.mark.parametrize(
    "text",
    [
        "a" * 2_000_000,
        "a" + "\u093c\u094d" * 500_000,
        "a" + "\u0301\u0316" * 500_000,
        "\ufdfa" * 1_000_000,
        "会" * 1_000_000,
        "\U0001d165\U0001d16d" * 500_000,
        "a_" * 1_000_000,
    ],
)
def test_hostile_text_gives_bounded_tokens(text: str) -> None:
    assert sum(len(t) for t in tokens(text)) <= 3 << 20
