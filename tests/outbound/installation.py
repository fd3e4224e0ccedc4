"""An installation that forwards: `mailfold serve`, a DNS server and a host that takes its mail."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mail.authentication.zone import Zone
from tests.authentication.kit import keys_of
from tests.dns_server import DnsServer
from tests.sink import Sink
from tests.system import System, wait_until

ALIAS = "team@example.test"
THERE = "Bob@elsewhere.test"
SENDER = "you@sender.example"

ZONE: dict[str, Any] = {
    "elsewhere.test": [{"MX": [10, "mx.elsewhere.test"]}],
    "mx.elsewhere.test": [{"A": "127.0.0.1"}],
    "sender.example": [{"TXT": "v=spf1 ip4:127.0.0.1 -all"}, {"MX": [10, "mx.elsewhere.test"]}],
    "forged.example": [{"TXT": "v=spf1 -all"}, {"MX": [10, "mx.elsewhere.test"]}],
    "_dmarc.strict.example": [{"TXT": "v=DMARC1; p=reject"}],
    "example.test": [{"TXT": "v=spf1 ip4:127.0.0.1 -all"}, {"MX": [10, "mx.example.test"]}],
    **keys_of("sender.example"),
}


@dataclass
class Installation:
    """All that runs."""

    system: System
    sink: Sink
    dns: DnsServer

    def forward(self, *targets: str, alias: str = ALIAS) -> None:
        """Let an alias reach these."""
        for target in targets:
            self.system.run("alias", "add", alias, target)

    def publish_keys(self, domain: str = "example.test") -> None:
        """Make the keys of a domain and publish them."""
        listed = self.system.run("domain", "keys", domain, "--json").stdout.splitlines()
        rows = [json.loads(line) for line in listed]
        self.dns.zone = Zone({**ZONE, **{r["name"]: [{"TXT": r["value"]}] for r in rows}})

    def queue(self) -> list[dict[str, Any]]:
        """Return what `mailfold queue list` tells."""
        return [
            json.loads(x) for x in self.system.run("queue", "list", "--json").stdout.splitlines()
        ]

    def told(self, mail_id: str) -> list[dict[str, Any]]:
        """Return the attempts of a mail, in order."""
        lines = self.system.run(
            "events", "read", "mail.attempted", "--key", mail_id
        ).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def outcomes(self, mail_id: str) -> list[str]:
        """Return the outcome of each attempt."""
        return [e["value"]["outcome"] for e in self.told(mail_id)]

    def until_taken(self, count: int, seconds: float = 30) -> None:
        """Wait until the sink has so many mails."""
        wait_until(
            lambda: len(self.sink.delivered) >= count, seconds, f"{count} mails taken by the sink"
        )

    def until_outcomes(self, mail_id: str, *wanted: str, seconds: float = 30) -> None:
        """Wait for the attempts of a mail."""
        wait_until(lambda: self.outcomes(mail_id) == list(wanted), seconds, f"{wanted}")


@contextmanager
def installation(
    folder: Path,
    *,
    answers: Sequence[str] = (),
    accounts: Sequence[str] = (),
    sink: Sink | None = None,
    **environment: str,
) -> Generator[Installation]:
    """Yield an installation whose domain is example.test, not started; stop it at the end."""
    with DnsServer(Zone(ZONE)) as dns, sink or Sink(answers) as taking:
        system = System(
            folder / "data",
            {
                "MAILFOLD_DNS": dns.address,
                "MAILFOLD_DNS_TIMEOUT": "2",
                "MAILFOLD_OUTBOUND_PORT": str(taking.port),
                "MAILFOLD_RETRY_SCHEDULE": "0.2,0.2",
                **environment,
            },
        )
        system.run("domain", "add", "example.test")
        for name in accounts:
            system.add_account(name)
        try:
            yield Installation(system, taking, dns)
        finally:
            system.stop()


def mail_id_of(reply: str) -> str:
    """Return the mail_id in a reply to DATA."""
    return reply.rpartition(" ")[2]
