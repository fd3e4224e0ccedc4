"""DNS as a value: questions, answers, zones, and the loop that fills them in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from mail.authentication.dns import (
    MAX_ANSWER_BYTES,
    Answer,
    Consulted,
    Missing,
    Question,
    ask,
    askable,
    bounded,
    need,
    question,
)
from mail.authentication.domains import DomainError, to_ascii, within
from mail.authentication.evaluate import Envelope, authenticate
from mail.authentication.reasons import WORDS, Reason, in_words
from mail.authentication.resolution import resolve_and_authenticate
from mail.authentication.zone import Zone, ZoneError
from tests.authentication.kit import NOW, OURS, PLAIN, keys_of, signed, spf_for, zone


def test_a_question_has_one_form() -> None:
    assert question("Example.COM.", "TXT") == Question("example.com", "TXT")


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("a.test", True),
        ("_dmarc.a.test", True),
        ("a" * 63 + ".test", True),
        ("a" * 64 + ".test", False),
        ("a..test", False),
        ("", False),
        (".test", False),
        ("bücher.test", False),
        (".".join(["abc"] * 63), True),
        (".".join(["abcd"] * 51), False),
    ],
)
def test_what_fits_dns(name: str, fits: bool) -> None:
    assert askable(name) is fits


def test_what_does_not_fit_dns_does_not_exist() -> None:
    assert ask({}, "a..test", "A").status == "nxdomain"


def test_a_miss_names_the_question() -> None:
    with pytest.raises(Missing) as missing:
        ask({}, "A.test.", "A")
    assert missing.value.questions == (Question("a.test", "A"),)


def test_a_need_names_what_is_not_known_of_all() -> None:
    one, two, three = (Question(name, "A") for name in ("a.test", "b.test", "c.test"))
    with pytest.raises(Missing) as missing:
        need({two: Answer("nodata")}, [one, two, three])
    assert missing.value.questions == (one, three)
    need({one: Answer("nodata")}, [one, two, three])


def test_what_was_looked_for_is_not_what_was_read() -> None:
    one, two = Question("a.test", "A"), Question("b.test", "A")
    view = Consulted({one: Answer("nodata"), two: Answer("nodata")})
    assert two in view
    ask(view, "a.test", "A")
    assert list(view.used) == [one]


def test_an_answer_within_the_bound_stays() -> None:
    asked = Question("a.test", "TXT")
    small = Answer("noerror", (b"x" * (MAX_ANSWER_BYTES - 200),), 60)
    assert bounded(asked, small) is small
    assert bounded(asked, Answer("noerror", (b"x" * MAX_ANSWER_BYTES,), 60)).status == "servfail"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("bücher.test", "xn--bcher-kva.test"),
        ("BÜCHER.test", "xn--bcher-kva.test"),
        ("bücher。test", "xn--bcher-kva.test"),
        ("faß.test", "xn--fa-hia.test"),
        ("_dmarc.a_b.test", "_dmarc.a_b.test"),
    ],
)
def test_a_domain_has_one_form(text: str, name: str) -> None:
    assert to_ascii(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        "a b.test",
        "[192.0.2.1]",
        "a@b.test",
        "x" * 64 + ".test",
        "a,b.test",
        "ab\ufffd.test",
    ],
)
def test_what_is_no_domain(text: str) -> None:
    with pytest.raises(DomainError):
        to_ascii(text)


def test_within_is_by_labels() -> None:
    assert within("a.b.test", "b.test")
    assert within("b.test", "b.test")
    assert not within("ab.test", "b.test")


ZONE = Zone(
    {
        "A.test.": [{"TXT": ["one ", "string"]}, {"MX": [5, "MX.test."]}, {"A": "192.0.2.1"}],
        "spf.test": [{"SPF": "v=spf1 -all"}],
        "both.test": [{"SPF": "v=spf1 -all"}, {"TXT": "other"}],
        "none.test": [{"SPF": "v=spf1 -all"}, {"TXT": "NONE"}],
        "slow.test": ["TIMEOUT", {"A": "192.0.2.1"}],
        "code.test": [{"RCODE": 3}],
        "refused.test": [{"RCODE": 5}],
        "empty.test": [],
        "alias.test": [{"CNAME": "a.test"}],
    }
)


@pytest.mark.parametrize(
    ("name", "rrtype", "status", "records"),
    [
        ("a.test", "TXT", "noerror", (b"one string",)),
        ("a.test", "MX", "noerror", ((5, "MX.test"),)),
        ("a.test", "AAAA", "nodata", ()),
        ("absent.test", "A", "nxdomain", ()),
        ("spf.test", "TXT", "noerror", (b"v=spf1 -all",)),
        ("both.test", "TXT", "noerror", (b"other",)),
        ("none.test", "TXT", "nodata", ()),
        ("slow.test", "A", "noerror", ("192.0.2.1",)),
        ("slow.test", "TXT", "timeout", ()),
        ("code.test", "A", "nxdomain", ()),
        ("refused.test", "A", "servfail", ()),
        ("empty.test", "A", "nodata", ()),
        ("alias.test", "A", "noerror", ("192.0.2.1",)),
    ],
)
def test_a_zone_answers_as_documented(
    name: str, rrtype: str, status: str, records: tuple[object, ...]
) -> None:
    answer = ZONE[Question(name, rrtype)]
    assert (answer.status, answer.records) == (status, records)


@pytest.mark.parametrize("rows", ["text", [5], ["WHAT"], [{"MX": "x"}], [{"MX": [1]}], {"A": "x"}])
def test_a_zone_of_another_form_is_refused(rows: object) -> None:
    with pytest.raises(ZoneError):
        Zone({"a.test": rows})


def test_every_reason_has_a_sentence_that_takes_hostile_facts() -> None:
    assert set(WORDS) == set(Reason)
    words = in_words(Reason.SPF_NO_RECORD, domain="{x}\r\nBcc: a@b\u202e" + "y" * 500)
    assert words.isprintable()
    assert len(words) < 300


def test_rounds_are_few_because_questions_are_asked_together() -> None:
    data = zone(
        {"_dmarc.example.com": "v=DMARC1; p=reject"},
        spf_for(["example.com"]),
        keys_of("example.com", "other.test"),
    )
    rounds: list[Sequence[Question]] = []

    async def resolve(questions: Sequence[Question]) -> Mapping[Question, Answer]:
        rounds.append(questions)
        return {one: data[one] for one in questions}

    envelope = Envelope("192.0.2.1", "h.test", "ann@example.com", OURS)
    raw = signed(PLAIN, "example.com", "other.test")
    judged = asyncio.run(resolve_and_authenticate(raw, envelope, resolve, NOW))
    assert judged.verdict.dmarc.result == "pass"
    assert len(rounds) == 1
    assert {f"{q.rrtype} {q.name}" for q in rounds[0]} == {
        "TXT example.com",
        "TXT k1._domainkey.example.com",
        "TXT k1._domainkey.other.test",
        "PTR 1.2.0.192.in-addr.arpa",
        "TXT _dmarc.example.com",
        "TXT _dmarc.com",
    }


def test_the_first_miss_names_all_that_is_known_to_be_open() -> None:
    envelope = Envelope("192.0.2.1", "h.test", "ann@example.com", OURS)
    with pytest.raises(Missing) as missing:
        authenticate(signed(PLAIN, "example.com"), envelope, {}, NOW)
    assert len(missing.value.questions) == 5
