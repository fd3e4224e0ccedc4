"""DNS answered from a file: the `zonedata` mapping of the SPF test suites.

    example.com: [ {TXT: "v=spf1 -all"}, {MX: [10, mx.example.com]}, {A: 192.0.2.1}, TIMEOUT ]

A list under TXT or SPF is one record of several strings. `TIMEOUT` lets every type of the name
that has no record time out; `{RCODE: n}` answers them with that code. SPF records are served as
TXT too unless the name has TXT records of its own (`TXT: NONE` says that it has none). A name
that is absent does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from mail.authentication.dns import Answer, Question, Record, question

TTL = 300
"""Seconds for which answers from a zone file hold."""
_MAX_ALIASES = 10


class ZoneError(ValueError):
    """The zone data is not of the documented form."""


@dataclass(slots=True)
class _Node:
    records: dict[str, list[Record]] = field(default_factory=dict[str, list[Record]])
    timeout: bool = False
    rcode: int | None = None


class Zone(Mapping[Question, Answer]):
    """All answers of a zone file, as the mapping that the checks read."""

    def __init__(self, data: Mapping[str, object]) -> None:
        """Read zone data. Raises ZoneError when it is not of the documented form."""
        self._nodes = {str(name).lower().rstrip("."): _node(rows) for name, rows in data.items()}

    def __getitem__(self, key: Question) -> Answer:
        return self._answer(key, _MAX_ALIASES)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, Question)

    def __iter__(self) -> Iterator[Question]:
        for name, node in self._nodes.items():
            for rrtype in node.records:
                yield Question(name, rrtype)

    def __len__(self) -> int:
        return sum(len(node.records) for node in self._nodes.values())

    def alias(self, name: str) -> str | None:
        """Return what `name` is a CNAME for, if it is one."""
        node = self._nodes.get(name.lower().rstrip("."))
        found = node.records.get("CNAME") if node else None
        return found[0] if found and isinstance(found[0], str) else None

    def target(self, name: str) -> str:
        """Return where the aliases of `name` end, or where their number passes the limit."""
        for _ in range(_MAX_ALIASES):
            following = self.alias(name)
            if following is None:
                return name
            name = following
        return name

    async def resolve(self, questions: Sequence[Question]) -> dict[Question, Answer]:
        """Answer `questions` as a resolver does."""
        return {asked: self[asked] for asked in questions}

    def _answer(self, asked: Question, aliases: int) -> Answer:
        node = self._nodes.get(asked.name)
        if node is None:
            return Answer("nxdomain", (), TTL)
        found = node.records.get(asked.rrtype)
        if found:
            return Answer("noerror", tuple(found), TTL)
        alias = node.records.get("CNAME")
        if alias and isinstance(alias[0], str):
            # RFC 1034 section 3.6.2: chains are followed, a loop is an error.
            if aliases == 0:
                return Answer("servfail")
            return self._answer(question(alias[0], asked.rrtype), aliases - 1)
        if node.timeout:
            return Answer("timeout")
        if node.rcode is not None:
            return _coded(node.rcode)
        return Answer("nodata", (), TTL)


def _coded(rcode: int) -> Answer:
    if rcode == 0:
        return Answer("nodata", (), TTL)
    return Answer("nxdomain", (), TTL) if rcode == 3 else Answer("servfail")


def _node(rows: object) -> _Node:
    node = _Node()
    own_text = False
    if not isinstance(rows, list):
        raise ZoneError("each name of a zone holds a list of records")
    for row in cast("list[object]", rows):
        if isinstance(row, str):
            if row != "TIMEOUT":
                raise ZoneError(f"{row!r} is no record; only TIMEOUT stands alone")
            node.timeout = True
            continue
        if not isinstance(row, dict):
            raise ZoneError(f"{row!r} is no record: write {{TYPE: value}}")
        for rrtype, value in cast("dict[object, object]", row).items():
            kind = str(rrtype).upper()
            if kind == "RCODE":
                node.rcode = int(str(value))
                continue
            if kind == "TXT":
                own_text = True
                if value == "NONE":
                    continue
            node.records.setdefault(kind, []).append(_value(kind, value))
    if not own_text and "SPF" in node.records:
        node.records["TXT"] = list(node.records["SPF"])
    return node


def _value(rrtype: str, value: object) -> Record:
    if rrtype in ("TXT", "SPF"):
        parts: Iterable[object]
        parts = cast("list[object]", value) if isinstance(value, list) else (value,)
        return b"".join(_octets(part) for part in parts)
    if rrtype == "MX":
        if not isinstance(value, list) or len(cast("list[object]", value)) != 2:
            raise ZoneError("an MX record is [preference, exchange]")
        preference, exchange = cast("list[object]", value)
        return int(str(preference)), str(exchange).removesuffix(".")
    return str(value).removesuffix(".")


def _octets(part: object) -> bytes:
    # Strings of the suites that hold \xEF and the like mean those octets, not these characters.
    text = str(part)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
