"""A DNS that is gone or slow: mail goes on, and says what could not be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.dns_server import DnsServer, Fault
from tests.faults import audit
from tests.faults.installations import Installations
from tests.faults.letters import Letter
from tests.faults.senders import Outbox
from tests.system import System, mail, wait_until

ANN = "ann@example.test"
TIMEOUT = 3.0
SESSIONS = 20


class Everywhere(dict[str, Fault]):
    """The same fault for every name."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self._fault = fault

    def get(self, _name: str, _default: Any = None) -> Any:
        return self._fault

    def __bool__(self) -> bool:
        return True


def domain(n: int) -> str:
    return f"dom{n}.example.net"


def zone(count: int) -> dict[str, list[dict[str, Any]]]:
    """Return the DNS of as many senders, each with a policy of its own."""
    found: dict[str, list[dict[str, Any]]] = {}
    for n in range(count):
        found[domain(n)] = [{"TXT": "v=spf1 ip4:127.0.0.0/8 -all"}]
        found[f"_dmarc.{domain(n)}"] = [{"TXT": "v=DMARC1; p=reject"}]
    return found


def send(system: System, numbers: range) -> None:
    """Send a mail from the domain of each number, over several sessions."""

    async def sessions() -> None:
        outbox = Outbox(lambda: system.where["smtp"])
        for n in numbers:
            raw = mail(f"from {n}", From=f"a@{domain(n)}")
            outbox.put(Letter(n, f"from {n}", raw, f"a@{domain(n)}", (ANN,)))
        outbox.end(SESSIONS)
        await asyncio.gather(*(outbox.session() for _ in range(SESSIONS)))

    asyncio.run(sessions())


def verdicts(system: System, numbers: range) -> list[dict[str, Any]]:
    """Return what was found of each of these mails, once all are there."""
    names = {f"from {n}" for n in numbers}
    with system.api(ANN) as api:

        def there() -> list[str]:
            found = [m["id"] for m in audit.all_messages(api) if m["subject"] in names]
            return found if len(found) == len(names) else []

        ids: list[str] = wait_until(there, 120, "all mails are listed")
        return [api.get(f"/messages/{i}").json()["authentication"] for i in ids]


def with_dns(install: Installations, server: DnsServer, check: Callable[[System], None]) -> None:
    environment = {"MAILFOLD_DNS": server.address, "MAILFOLD_DNS_TIMEOUT": str(TIMEOUT)}
    check(install("ann", **environment).start())


def test_a_dns_that_never_answers_delays_few_mails_and_stops_none(
    install: Installations,
) -> None:
    first, later = range(40), range(40, 240)
    with DnsServer(zone(240), Everywhere(Fault(drop=True))) as server:

        def check(system: System) -> None:
            send(system, first)
            verdicts(system, first)
            server.asked.clear()
            send(system, later)
            for found in verdicts(system, later):
                assert found["spf"]["result"] == found["dmarc"]["result"] == "temperror"
                assert "did not answer" in found["spf"]["reason"]
            # Who waits for each of these two hundred domains would have asked for all of them.
            assert len(set(server.asked)) < len(later) / 4

        with_dns(install, server, check)


def test_a_dns_that_is_back_is_asked_again(install: Installations) -> None:
    first, later = range(40), range(40, 80)
    with DnsServer(zone(80), Everywhere(Fault(drop=True))) as server:

        def check(system: System) -> None:
            send(system, first)
            verdicts(system, first)
            server.faults = {}

            def passes() -> bool:
                n = next(numbers)
                send(system, range(n, n + 1))
                (found,) = verdicts(system, range(n, n + 1))
                return found["spf"]["result"] == "pass"

            numbers = iter(later)
            wait_until(passes, 60, "a mail is judged again")
            rest = range(next(numbers), later.stop)
            send(system, rest)
            for found in verdicts(system, rest):
                assert found["spf"]["result"] == found["dmarc"]["result"] == "pass"

        with_dns(install, server, check)


def test_a_slow_dns_is_waited_for(install: Installations) -> None:
    numbers = range(200)
    with DnsServer(zone(200), Everywhere(Fault(delay=0.3))) as server:

        def check(system: System) -> None:
            send(system, numbers)
            for found in verdicts(system, numbers):
                assert found["spf"]["result"] == found["dmarc"]["result"] == "pass"

        with_dns(install, server, check)
