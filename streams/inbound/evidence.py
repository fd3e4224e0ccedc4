"""DNS answers as they are kept in an event, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mail.authentication.dns import Answer, Question, Record
from schemas.parts import DnsAnswer


def kept(answers: Mapping[Question, Answer]) -> list[DnsAnswer]:
    """Return answers as records, in the order of their questions."""
    return [
        DnsAnswer(
            name=asked.name,
            rrtype=asked.rrtype,
            status=answer.status,
            ttl=answer.ttl,
            records=[_octets(r) for r in answer.records],
        )
        for asked, answer in sorted(answers.items())
    ]


def answers(records: Sequence[DnsAnswer]) -> dict[Question, Answer]:
    """Return what `kept` kept. A record that can't be read stands as a failed lookup."""
    return {Question(r.name, r.rrtype): _answer(r) for r in records}


def _answer(record: DnsAnswer) -> Answer:
    try:
        values = tuple(_value(record.rrtype, v) for v in record.records)
    except ValueError:
        return Answer("servfail")
    match record.status:
        case "noerror" | "nxdomain" | "nodata" | "timeout":
            return Answer(record.status, values, record.ttl)
        case _:
            return Answer("servfail", values, record.ttl)


def _octets(record: Record) -> bytes:
    if isinstance(record, bytes):
        return record
    if isinstance(record, tuple):
        return f"{record[0]} {record[1]}".encode()
    return record.encode()


def _value(rrtype: str, octets: bytes) -> Record:
    if rrtype in ("TXT", "SPF"):
        return octets
    text = octets.decode()
    if rrtype == "MX":
        preference, _, exchange = text.partition(" ")
        return int(preference), exchange
    return text
