"""MAILFOLD_DMARC_REJECT in a whole installation."""

from __future__ import annotations

import smtplib
from pathlib import Path

import pytest

from tests.authentication.kit import PLAIN
from tests.dns_server import DnsServer
from tests.system import System


@pytest.mark.parametrize(("setting", "code"), [("on", 550), ("off", 250)])
def test_the_setting_decides_whether_the_mx_refuses(
    tmp_path: Path, setting: str, code: int
) -> None:
    with DnsServer({"_dmarc.example.com": [{"TXT": "v=DMARC1; p=reject"}]}) as server:
        system = System(
            tmp_path / "data",
            {
                "MAILFOLD_DNS": server.address,
                "MAILFOLD_DNS_TIMEOUT": "5",
                "MAILFOLD_DMARC_REJECT": setting,
            },
        )
        address = system.add_account("demo")
        system.start("--role", "mx")
        try:
            with smtplib.SMTP(*system.where["smtp"], timeout=30) as client:
                client.ehlo("client.example.com")
                client.mail("ann@example.com")
                client.rcpt(address)
                assert client.data(PLAIN)[0] == code
        finally:
            system.stop()
