"""Which hosts take the mail of a domain."""

from __future__ import annotations

from typing import Any

import pytest

from mail.authentication.zone import Zone
from mail.exchanges import MAX_HOSTS, Unroutable, relayed, route

ZONE = Zone(
    {
        "two.test": [{"MX": [20, "b.test"]}, {"MX": [10, "a.test"]}],
        "a.test": [{"A": "192.0.2.1"}, {"AAAA": "2001:db8::1"}],
        "b.test": [{"A": "192.0.2.2"}],
        "none.test": [{"TXT": "no host"}],
        "host.test": [{"A": "192.0.2.3"}],
        "null.test": [{"MX": [0, "."]}],
        "ours.test": [{"MX": [10, "a.test"]}, {"MX": [20, "mx.us.test"]}, {"MX": [30, "b.test"]}],
        "only-ours.test": [{"MX": [10, "MX.us.test"]}, {"MX": [20, "b.test"]}],
        "broken.test": [{"RCODE": 2}],
        "slow.test": ["TIMEOUT"],
        "lost.test": [{"MX": [10, "gone.test"]}],
        "half.test": [{"MX": [10, "broken.test"]}, {"MX": [20, "b.test"]}],
        "down.test": [{"MX": [10, "broken.test"]}],
        "many.test": [{"MX": [10, f"m{n}.test"]} for n in range(9)],
        **{f"m{n}.test": [{"A": f"192.0.2.{100 + n}"}] for n in range(9)},
        "xn--bcher-kva.test": [{"MX": [10, "b.test"]}],
    }
)


def hosts(domain: str, seed: str = "") -> list[str]:
    return [e.address for e in route(domain, ZONE, own="mx.us.test", seed=seed)]


@pytest.mark.parametrize(
    ("domain", "addresses"),
    [
        ("two.test", ["192.0.2.1", "2001:db8::1", "192.0.2.2"]),
        ("TWO.test.", ["192.0.2.1", "2001:db8::1", "192.0.2.2"]),
        ("host.test", ["192.0.2.3"]),
        ("ours.test", ["192.0.2.1", "2001:db8::1"]),
        ("half.test", ["192.0.2.2"]),
        ("bücher.test", ["192.0.2.2"]),
        ("[192.0.2.9]", ["192.0.2.9"]),
        ("[IPv6:2001:db8::9]", ["2001:db8::9"]),
    ],
)
def test_hosts_are_tried_in_order(domain: str, addresses: list[str]) -> None:
    assert hosts(domain) == addresses


@pytest.mark.parametrize(
    ("domain", "status"),
    [
        ("null.test", "5.1.10"),
        ("absent.test", "5.1.2"),
        ("not a domain", "5.1.2"),
        ("none.test", "5.4.4"),
        ("lost.test", "5.4.4"),
        ("only-ours.test", "5.4.6"),
        ("broken.test", "4.4.3"),
        ("slow.test", "4.4.3"),
        ("down.test", "4.4.3"),
    ],
)
def test_where_there_is_none_a_status_says_why(domain: str, status: str) -> None:
    with pytest.raises(Unroutable) as told:
        hosts(domain)
    assert told.value.status == status
    assert told.value.permanent == status.startswith("5")


def test_equal_hosts_share_the_mail() -> None:
    firsts = {hosts("many.test", str(n))[0] for n in range(60)}
    assert len(firsts) > 4
    assert hosts("many.test", "one") == hosts("many.test", "one")
    assert len(hosts("many.test")) == MAX_HOSTS


@pytest.mark.parametrize(
    ("host", "address"),
    [("b.test", "192.0.2.2"), ("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "2001:db8::7")],
)
def test_a_relay_is_a_host_or_an_address(host: str, address: str) -> None:
    found: list[Any] = relayed(host, ZONE)
    assert [e.address for e in found] == [address]
