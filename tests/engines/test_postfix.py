"""Debian's Postfix stands in front and hands its mail over by LMTP."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.dns_server import DnsServer
from tests.postfix import HOSTNAME, Postfix, documented
from tests.system import SmtpClient, System, mail, wait_until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SENDER = "you@sender.test"
RECORDS = {"sender.test": [{"TXT": "v=spf1 ip4:192.0.2.7 ip6:2001:db8::/32 -all"}]}
TRACE = (
    r"Received: from mail\.sender\.test \({name} \[{address}\]\)\r\n"
    rf"\tby {re.escape(HOSTNAME)} \(Postfix\) with ESMTP id \w+"
    r"(?:\r\n\tfor <[^>]+>)?; [^\r\n]+\r\n"
)


class Mail:
    """A domain with its mail server in front and its mailboxes behind."""

    def __init__(self, system: System, postfix: Postfix) -> None:
        self.system = system
        self.postfix = postfix

    def send(self, raw: bytes, *recipients: str, name: str, address: str) -> None:
        """Send a mail to Postfix as if from a client with this name and address."""
        with SmtpClient(self.postfix.where, helo="test.invalid") as client:
            client.become(name, address, "mail.sender.test")
            client.send(raw, [f"{r}@example.test" for r in recipients], SENDER)

    def found(self, api: httpx.Client, subject: str) -> str:
        """Return the id of the one mail with this subject, once it is there."""
        listing = {"includeSpam": True, "maxResults": 500}

        def ids() -> list[str]:
            answer = api.get("/mailboxes/me/messages", params=listing)
            return [m["id"] for m in answer.json()["messages"] if m["subject"] == subject]

        (found,) = wait_until(ids, what=f"{subject!r}; {self.postfix.log()}")
        return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mail]:
    folder = tmp_path_factory.mktemp("postfix")
    with DnsServer(RECORDS) as dns:
        system = System(folder / "mailfold", {"MAILFOLD_DNS": dns.address})
        for name in ("ann", "bob"):
            system.add_account(name)
        system.environment["MAILFOLD_QUOTA_BYTES"] = "1"
        system.add_account("full")
        system.start()
        try:
            handed_over, _ = documented(system.where["lmtp"])
            with Postfix(handed_over) as postfix:
                yield Mail(system, postfix)
        finally:
            system.stop()


@pytest.mark.parametrize(
    ("name", "address", "spf"),
    [
        ("mx7.sender.test", "192.0.2.7", "pass"),
        ("mx9.elsewhere.test", "198.51.100.9", "fail"),
        ("[UNAVAILABLE]", "IPV6:2001:db8::25", "pass"),
    ],
)
def test_a_mail_arrives_byte_for_byte_and_is_judged_for_the_client_of_postfix(
    house: Mail, name: str, address: str, spf: str
) -> None:
    subject = f"from {address}"
    raw = mail(subject, ".\r\n..two\r\n\r\ntext without end", From=SENDER) + b"\r\n"
    house.send(raw, "ann", name=name, address=address)
    with house.system.api("ann@example.test") as api:
        ident = house.found(api, subject)
        came = api.get(f"/messages/{ident}", params={"format": "original"}).content
        shown = api.get(f"/messages/{ident}").json()
    host = "unknown" if name == "[UNAVAILABLE]" else name
    trace = TRACE.format(name=re.escape(host), address=re.escape(address.replace("V", "v")))
    assert re.fullmatch(trace, came.removesuffix(raw).decode())
    assert came.endswith(raw)
    assert shown["authentication"]["spf"]["result"] == spf
    (results,) = [shown["headers"]["authentication-results"]]
    assert f"spf={spf} smtp.mailfrom=sender.test" in re.sub(r"\s+", " ", str(results))


def test_only_the_recipient_without_room_is_tried_again_and_an_unknown_one_refused(
    house: Mail,
) -> None:
    first, second = "fills it", "for four"
    client = {"name": "mx7.sender.test", "address": "192.0.2.7"}
    house.send(mail(first, From=SENDER), "full", **client)
    with house.system.api("full@example.test") as api:
        house.found(api, first)
    house.send(mail(second, From=SENDER), "ann", "full", "nobody", "bob", **client)
    ids = set[str]()
    for who in ("ann", "bob"):
        with house.system.api(f"{who}@example.test") as api:
            ident = house.found(api, second)
            ids.add(api.get(f"/messages/{ident}/trace").json()["events"][0]["mailId"])
    (mail_id,) = ids
    for outcome in (
        rf"to=<ann@example\.test>,.* status=sent \(250 2\.0\.0 .*{mail_id}\)",
        rf"to=<bob@example\.test>,.* status=sent \(250 2\.0\.0 .*{mail_id}\)",
        r"to=<full@example\.test>,.* status=deferred .*452 4\.2\.2 ",
        r"to=<nobody@example\.test>,.* status=bounced .*550 5\.1\.1 ",
    ):
        wait_until(lambda o=outcome: re.search(o, house.postfix.log()), what=house.postfix.log())
    with house.system.api("full@example.test") as api:
        listed = api.get("/mailboxes/me/messages", params={"includeSpam": True}).json()
    assert [m["subject"] for m in listed["messages"]] == [first]


def test_postfix_can_ask_first_and_then_has_nothing_to_bounce(house: Mail) -> None:
    handed_over, asked_first = documented(house.system.where["lmtp"])
    with Postfix({**handed_over, **asked_first}) as postfix:
        mails = Mail(house.system, postfix)
        client = {"name": "mx7.sender.test", "address": "192.0.2.7"}
        with pytest.raises(ConnectionError, match=r"^550 5\.1\.1 <nobody@example\.test>"):
            mails.send(mail("for nobody", From=SENDER), "nobody", **client)
        mails.send(mail("asked first", From=SENDER), "ann", **client)
        with house.system.api("ann@example.test") as api:
            mails.found(api, "asked first")
        assert "status=bounced" not in postfix.log()
