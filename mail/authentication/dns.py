"""DNS as a value: questions, answers, and the exception that names what is not known yet.

A check reads answers through `ask`. When the mapping does not hold an answer, `Missing` carries
the questions; whoever called the check resolves them, adds the answers, and calls it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, TypedDict

MAX_ANSWER_BYTES = 16 * 1024
"""A larger record set is refused as `servfail`: nothing that mail authentication reads needs it."""
MAX_EVIDENCE_BYTES = 64 * 1024
"""Bound on the serialised answers that one verdict rests on."""

Status: TypeAlias = Literal["noerror", "nxdomain", "nodata", "servfail", "timeout"]
Record: TypeAlias = "bytes | str | tuple[int, str]"
"""TXT: the strings joined, as octets; A, AAAA, PTR, CNAME: text; MX: (preference, exchange)."""


class Question(NamedTuple):
    """What to ask: an owner name in lower case without the final dot, and a record type."""

    name: str
    rrtype: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS said, aliases followed. `records` is empty unless `status` is `noerror`."""

    status: Status
    records: tuple[Record, ...] = ()
    ttl: int = 0
    """Seconds for which the answer holds."""

    @property
    def failed(self) -> bool:
        """True when DNS gave no answer at all, so that nothing may be concluded from it."""
        return self.status in ("servfail", "timeout")

    @property
    def void(self) -> bool:
        """True for "no such name" and "no such data" (RFC 7208 section 4.6.4)."""
        return self.status in ("nxdomain", "nodata")


Answers: TypeAlias = Mapping[Question, Answer]

# A name that cannot be asked does not exist: no question, and so no evidence, is needed.
_UNASKABLE = Answer("nxdomain")


class Missing(Exception):
    """The evaluation needs answers to `questions` and can be repeated once they are known."""

    def __init__(self, questions: Iterable[Question]) -> None:
        self.questions: tuple[Question, ...] = tuple(dict.fromkeys(questions))
        super().__init__(", ".join(f"{q.rrtype} {q.name}" for q in self.questions))


def question(name: str, rrtype: str) -> Question:
    """Return the question for `name`, brought to the form in which answers are kept."""
    return Question(name.lower().removesuffix("."), rrtype)


def askable(name: str) -> bool:
    """Tell whether `name` fits DNS: labels of 1 to 63, at most 253 octets (RFC 1035 2.3.4)."""
    if not name or len(name) > 253 or not name.isascii():
        return False
    return all(0 < len(label) < 64 for label in name.split("."))


def ask(answers: Answers, name: str, rrtype: str) -> Answer:
    """Return the answer to (`name`, `rrtype`).

    Raises `Missing` when `answers` does not hold it. A name that does not fit DNS is `nxdomain`.
    """
    asked = question(name, rrtype)
    known = answers.get(asked)
    if known is not None:
        return known
    if not askable(asked.name):
        return _UNASKABLE
    raise Missing((asked,))


def need(answers: Answers, asked: Sequence[Question]) -> None:
    """Make sure that the first of `asked` can be read.

    Raises `Missing` when it is not known, naming with it all of `asked` that are not: they may be
    needed next, and one round of resolving answers them together.
    """
    if asked and asked[0] not in answers and askable(asked[0].name):
        raise Missing(one for one in asked if one not in answers and askable(one.name))


def texts(answer: Answer) -> list[bytes]:
    """Return the TXT records of `answer`."""
    return [record for record in answer.records if isinstance(record, bytes)]


def names(answer: Answer) -> list[str]:
    """Return the addresses or names (A, AAAA, PTR, CNAME) of `answer`."""
    return [record for record in answer.records if isinstance(record, str)]


def exchanges(answer: Answer) -> list[tuple[int, str]]:
    """Return the MX records of `answer` as (preference, exchange)."""
    return [record for record in answer.records if isinstance(record, tuple)]


class Consulted(Mapping[Question, Answer]):
    """A view of answers that remembers which of them were read, and so carry the verdict."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.used: dict[Question, Answer] = {}

    def __getitem__(self, key: Question) -> Answer:
        answer = self._answers[key]
        self.used[key] = answer
        return answer

    def get(self, key: Question, default: Answer | None = None) -> Answer | None:  # type: ignore[override]
        """Return the answer to `key`, remembered as read, or `default`."""
        answer = self._answers.get(key)
        if answer is None:
            return default
        self.used[key] = answer
        return answer

    def __contains__(self, key: object) -> bool:
        return key in self._answers

    def __iter__(self) -> Iterator[Question]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)


class PlainAnswer(TypedDict):
    """One answer as it is kept in an event: JSON types only, TXT octets as Latin-1 text."""

    name: str
    type: str
    status: str
    records: list[str | list[int | str]]
    ttl: int


def to_plain(answers: Answers) -> list[PlainAnswer]:
    """Serialise answers, ordered by name and type, so that equal evidence has equal bytes."""
    return [
        {
            "name": asked.name,
            "type": asked.rrtype,
            "status": answer.status,
            "records": [_plain(record) for record in answer.records],
            "ttl": answer.ttl,
        }
        for asked, answer in sorted(answers.items())
    ]


def from_plain(plain: Sequence[PlainAnswer]) -> dict[Question, Answer]:
    """Undo `to_plain`. Raises ValueError when `plain` is not what `to_plain` writes."""
    answers: dict[Question, Answer] = {}
    for row in plain:
        asked = Question(row["name"], row["type"])
        records = tuple(_record(asked.rrtype, record) for record in row["records"])
        answers[asked] = Answer(_status(row["status"]), records, row["ttl"])
    return answers


_PRINTABLE = bytes(range(32, 127))


def weight(asked: Question, answer: Answer) -> int:
    """Return an upper bound, in bytes, of what this answer takes in serialised evidence."""
    # 96: keys, quotes and numbers of one row; 6 an octet: the worst JSON escape, \u00ff.
    content = 0
    for record in answer.records:
        if isinstance(record, bytes):
            content += 8 + len(record) + 5 * len(record.translate(None, _PRINTABLE))
        else:
            content += 16 + len(record[1] if isinstance(record, tuple) else record)
    return 96 + len(asked.name) + content


def bounded(asked: Question, answer: Answer) -> Answer:
    """Return `answer`, or `servfail` in its place when it is larger than `MAX_ANSWER_BYTES`."""
    return answer if weight(asked, answer) <= MAX_ANSWER_BYTES else Answer("servfail", (), 0)


def _plain(record: Record) -> str | list[int | str]:
    if isinstance(record, bytes):
        return record.decode("latin-1")
    return list(record) if isinstance(record, tuple) else record


def _record(rrtype: str, plain: str | list[int | str]) -> Record:
    if isinstance(plain, list):
        preference, exchange = plain
        return int(preference), str(exchange)
    return plain.encode("latin-1") if rrtype in ("TXT", "SPF") else plain


def _status(text: str) -> Status:
    for known in ("noerror", "nxdomain", "nodata", "servfail", "timeout"):
        if text == known:
            return known
    raise ValueError(f"{text!r} is not the status of a DNS answer")
