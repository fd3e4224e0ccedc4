"""SPF against another implementation, on records put together at random."""

from __future__ import annotations

from typing import Any

import pytest
import spf
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mail.authentication.dns import Question
from mail.authentication.reasons import Reason
from mail.authentication.spf import check_spf
from mail.authentication.zone import Zone
from tests.authentication.kit import NOW

NAMES = ("example.com", "a.test", "b.test", "c.test", "void.test", "v6.test", "many.test")
HOSTS: dict[str, list[dict[str, Any]]] = {
    "a.test": [{"A": "192.0.2.1"}, {"MX": [10, "b.test"]}],
    "b.test": [{"A": "192.0.2.9"}, {"AAAA": "2001:db8::1"}],
    "c.test": [{"MX": [5, "a.test"]}, {"MX": [6, "void.test"]}],
    "v6.test": [{"AAAA": "2001:db8::1"}],
    "many.test": [{"A": f"192.0.2.{n}"} for n in range(20)],
    "1.2.0.192.in-addr.arpa": [{"PTR": "a.test"}],
}
_domains = st.sampled_from(NAMES)
_terms = st.one_of(
    st.sampled_from(
        [
            "ip4:192.0.2.1",
            "ip4:192.0.2.0/24",
            "ip4:192.0.2.0/0",
            "ip4:198.51.100.1",
            "ip6:2001:db8::/32",
            "ip6:2001:db8::2",
            "a",
            "mx",
            "A/24",
            "mx/24//64",
            "ptr",
            "unknown=%{d}",
            "exists:%{ir}.%{v}.x.test",
            "ip4:1.2.3",
            "foo",
            "a:",
            "all",
            "-all",
            "?all",
        ]
    ),
    st.builds("{}:{}".format, st.sampled_from(["a", "mx", "include", "exists", "ptr"]), _domains),
)
_qualified = st.builds("{}{}".format, st.sampled_from(["", "-", "~", "?", "+"]), _terms)
_records = st.builds(
    lambda terms, last: " ".join(["v=spf1", *terms, *last]),
    st.lists(_qualified, max_size=6),
    st.lists(st.builds("redirect={}".format, _domains), max_size=1),
)
_zones = st.dictionaries(st.sampled_from(NAMES[:4]), _records, min_size=1)


def _theirs(zone: Zone, ip: str, monkeypatch: pytest.MonkeyPatch) -> str:
    def lookup(name: str, rrtype: str, *_more: object) -> list[Any]:
        answer = zone[Question(name.lower().removesuffix("."), rrtype)]
        return [
            ((name, rrtype), (record,) if rrtype == "TXT" else record) for record in answer.records
        ]

    monkeypatch.setattr(spf, "DNSLookup", lookup)
    # It counts the void lookups within one term one by one; section 4.6.4 counts terms.
    monkeypatch.setattr(spf, "MAX_VOID_LOOKUPS", 1000)
    return spf.check2(i=ip, s="ann@example.com", h="h.test", querytime=0)[0]


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(records=_zones, ip=st.sampled_from(["192.0.2.1", "2001:db8::1", "203.0.113.5"]))
def test_two_implementations_agree(
    records: dict[str, str], ip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It refuses two unknown modifiers of one name, and a record that includes itself although a
    # term before decides; section 6 and section 4.6 know neither rule.
    assume(not any(record.count("unknown=") > 1 for record in records.values()))
    assume(not any(f"include:{name}" in record for name, record in records.items()))
    data = {name: list(rows) for name, rows in HOSTS.items()}
    for name, record in records.items():
        data.setdefault(name, []).append({"TXT": record})
    zone = Zone(data)
    ours = check_spf(ip, "h.test", "ann@example.com", zone, receiver="r.test", now=NOW)
    if ours.reason is not Reason.SPF_TOO_MANY_VOID_LOOKUPS:
        assert ours.result == _theirs(zone, ip, monkeypatch), ours.words
