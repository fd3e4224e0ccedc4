"""`mailfold check --mail`: a stored mail is judged again from the evidence kept with it."""

from __future__ import annotations

import json
import re
import smtplib
import time
from typing import Any

import pytest

from tests.authentication.kit import PLAIN, keys_of, signed
from tests.dns_server import DnsServer
from tests.system import System

ZONE: dict[str, Any] = {
    "example.com": [{"TXT": "v=spf1 ip4:127.0.0.1 -all"}],
    "_dmarc.example.com": [{"TXT": "v=DMARC1; p=reject"}],
    **keys_of("example.com"),
}


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> tuple[System, str]:
    """A system that has received one mail from a domain whose DNS is gone since."""
    folder = tmp_path_factory.mktemp("rejudge")
    with DnsServer(ZONE) as server:
        environment = {"MAILFOLD_DNS": server.address, "MAILFOLD_DNS_TIMEOUT": "5"}
        system = System(folder / "data", environment)
        address = system.add_account("demo")
        system.start()
        try:
            mail_id = _send(system, address)
            _wait(system, mail_id)
        finally:
            system.stop()
    system.environment["MAILFOLD_DNS"] = "127.0.0.1:9"
    system.environment["MAILFOLD_DNS_TIMEOUT"] = "0.2"
    return system, mail_id


def _send(system: System, address: str) -> str:
    with smtplib.SMTP(*system.where["smtp"], timeout=30) as client:
        client.ehlo("client.example.com")
        client.mail("ann@example.com")
        client.rcpt(address)
        _, answer = client.data(signed(PLAIN, "example.com"))
    found = re.search(rb"[0-9a-f]{8}-[0-9a-f-]{27}", answer)
    assert found, answer
    return found[0].decode()


def _wait(system: System, mail_id: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done = system.run("check", "--mail", mail_id, check=False)
        if done.returncode == 0:
            return
        time.sleep(0.2)
    raise AssertionError(done.stdout + done.stderr)


def test_the_verdict_is_the_same_with_dns_switched_off(received: tuple[System, str]) -> None:
    system, mail_id = received
    found = json.loads(system.run("check", "--mail", mail_id, "--json").stdout)
    assert found["changed"] == []
    results = (found["spf"]["result"], found["dkim"][0]["result"], found["dmarc"]["result"])
    assert results == ("pass", "pass", "pass")


def test_asked_afresh_it_shows_what_changed(received: tuple[System, str]) -> None:
    system, mail_id = received
    found = json.loads(system.run("check", "--mail", mail_id, "--now", "--json").stdout)
    assert any(line.startswith("SPF: was pass") for line in found["changed"])
    assert any(line.startswith("DMARC: was pass") for line in found["changed"])


def test_a_mail_that_is_not_there_is_one_line(received: tuple[System, str]) -> None:
    system, _ = received
    done = system.run("check", "--mail", "0" * 8 + "-0000-7000-8000-" + "0" * 12, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("mailfold: there is no mail")
