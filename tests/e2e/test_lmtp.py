"""LMTP into the whole house: who gets a mail, what each recipient is told, and who sent it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from tests.dns_server import DnsServer
from tests.system import System, mail, wait_until

PEOPLE = ("ann", "full", "bob")
RECORDS = {"sender.test": [{"TXT": "v=spf1 ip4:192.0.2.7 -all"}]}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with DnsServer(RECORDS) as dns:
        made = System(tmp_path_factory.mktemp("lmtp") / "data", {"MAILFOLD_DNS": dns.address})
        for name in PEOPLE:
            made.environment["MAILFOLD_QUOTA_BYTES"] = "1" if name == "full" else "0"
            made.add_account(name)
        made.start()
        try:
            yield made
        finally:
            made.stop()


def told(system: System, subject: str, *people: str, client: str = "") -> list[str]:
    """Send one mail by LMTP, in one write; return the replies to its end."""
    lines = ["LHLO front.test", *([f"XFORWARD {client}"] if client else [])]
    lines += ["MAIL FROM:<you@sender.test>", *(f"RCPT TO:<{p}@example.test>" for p in people)]
    start = "".join(f"{line}\r\n" for line in [*lines, "DATA"]).encode()
    with socket.create_connection(system.where["lmtp"], 30) as peer:
        peer.sendall(start + mail(subject) + b".\r\nQUIT\r\n")
        answer = b"".join(iter(lambda: peer.recv(65536), b"")).decode()
    _, _, after = answer.partition("354 ")
    return after.split("\r\n")[1:-2]


def listed(system: System, name: str) -> dict[str, str]:
    """Return the ids of what is in a mailbox, by subject."""
    with system.api(f"{name}@example.test") as api:
        found = api.get("/mailboxes/me/messages", params={"includeSpam": True}).json()
    return {m["subject"]: m["id"] for m in found["messages"]}


def test_of_three_recipients_the_full_one_is_told_so_and_the_others_have_the_mail(
    system: System,
) -> None:
    assert told(system, "fills it", "full")[0].startswith("250 2.0.0 ")
    wait_until(lambda: "fills it" in listed(system, "full"), what="the mailbox is full")
    replies = told(system, "for three", *PEOPLE)
    assert [r[:9] for r in replies] == ["250 2.0.0", "452 4.2.2", "250 2.0.0"]
    assert replies[0] == replies[2]
    mail_id = replies[0].split()[-1]
    for name in ("ann", "bob"):
        wait_until(lambda n=name: "for three" in listed(system, n), what=f"{name} has it")
        with system.api(f"{name}@example.test") as api:
            ident = listed(system, name)["for three"]
            trace = api.get(f"/messages/{ident}/trace").json()["events"]
            raw = api.get(f"/messages/{ident}", params={"format": "raw"}).text
        assert {e["mailId"] for e in trace if "mailId" in e} == {mail_id}
        assert trace[0]["source"] == "lmtp"
        assert re.search(r"^Received: by mx\.example\.test with LMTP\s+id ", raw, re.MULTILINE)
    assert list(listed(system, "full")) == ["fills it"]


@pytest.mark.parametrize(
    ("client", "spf"),
    [
        ("NAME=mail.sender.test ADDR=192.0.2.7 HELO=sender.test", "pass"),
        ("ADDR=198.51.100.9", "fail"),
        ("ADDR=[UNAVAILABLE]", "none"),
        ("", "none"),
    ],
)
def test_spf_is_judged_for_the_client_that_the_server_in_front_names(
    system: System, client: str, spf: str
) -> None:
    subject = f"from {client or 'nobody'}"
    assert told(system, subject, "ann", client=client)[0].startswith("250 2.0.0 ")
    wait_until(lambda: subject in listed(system, "ann"), what=subject)
    with system.api("ann@example.test") as api:
        shown = api.get(f"/messages/{listed(system, 'ann')[subject]}").json()
    assert shown["authentication"]["spf"]["result"] == spf
