from __future__ import annotations

import pytest

from mail.query.language import parse
from projections.search.excerpt import LENGTH, excerpt, matcher, wanted


def marked(query: str, text: str) -> list[str]:
    """Return what of the excerpt of a text is said to match."""
    sought = matcher(wanted(parse(query)))
    assert sought is not None
    return list(excerpt(text, sought)[1::2])


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("word", "word", ["word"]),
        ("word", "sword words word", ["word"]),
        ("word", "Wörd, wOrd_word", ["Wörd", "wOrd", "word"]),
        ("wo*", "two words, a wound", ["words", "wound"]),
        ('"a b"', "aa b a  b, a-b", ["a b", "a-b"]),
        ("one OR two", "someone two one twofold", ["two", "one"]),
        ("strasse", "x Straße y", ["Straße"]),
        ("会議", "東京会議室", ["会議"]),
    ],
)
def test_whole_words_are_marked(query: str, text: str, expected: list[str]) -> None:
    assert marked(query, text) == expected


@pytest.mark.parametrize("far", [LENGTH, 1200, 1201, 5000])
@pytest.mark.parametrize("filling", ["x", "ß", "ﷺ "])
def test_matches_far_behind_the_first_one_are_not_marked(far: int, filling: str) -> None:
    assert marked("word", "word word " + filling * far + " word") == ["word", "word"]


def test_a_match_that_is_longer_than_an_excerpt_is_marked_as_far_as_it_is_shown() -> None:
    text = "a" + " " * 3000 + "b"
    assert marked('"a b"', text) == ["a "]
