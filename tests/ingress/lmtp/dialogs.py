"""Dialogs in LMTP as data, as those of the MX are: what is sent, and how each reply begins.

Where a message has several replies, the further ones are steps in which nothing is sent. The peer
is trusted; carol's mailbox is full.
"""

from __future__ import annotations

from tests.ingress.smtp.dialogs import BODY, DATA, MAIL, QUIT, RCPT, Step

LHLO: Step = ("LHLO client.test", "250-mx.example.test\n250-SIZE 50000\n250-PIPELINING\n")
BOB: Step = ("RCPT TO:<bob@example.test>", "250 2.1.5 ")
FULL: Step = ("RCPT TO:<carol@example.test>", "250 2.1.5 ")
UNKNOWN: Step = ("RCPT TO:<nobody@example.test>", "550 5.1.1 ")
CLIENT: Step = ("XFORWARD NAME=mail.a.test ADDR=192.0.2.7 HELO=a.test PROTO=ESMTP", "250 2.0.0 ")


def then(reply: str) -> Step:
    """Return one more reply to what was sent before."""
    return (b"", reply)


QUEUED = then("250 2.0.0 Ok: queued as ")

DIALOGS: dict[str, list[Step]] = {
    "one mail": [LHLO, MAIL, RCPT, DATA, BODY, QUIT],
    "a reply for each recipient, in their order": [
        LHLO,
        MAIL,
        RCPT,
        UNKNOWN,
        FULL,
        BOB,
        DATA,
        BODY,
        then("452 4.2.2 "),
        QUEUED,
        MAIL,
        FULL,
        RCPT,
        DATA,
        (BODY[0], "452 4.2.2 "),
        QUEUED,
        QUIT,
    ],
    "a recipient given twice has two replies": [LHLO, MAIL, RCPT, RCPT, DATA, BODY, QUEUED, QUIT],
    "all recipients are full": [
        LHLO,
        MAIL,
        FULL,
        FULL,
        DATA,
        (BODY[0], "452 4.2.2 "),
        then("452 4.2.2 "),
        ("NOOP", "250 2.0.0 "),
    ],
    "HELO and EHLO are not there": [
        ("HELO client.test", "500 5.5.1 "),
        ("EHLO client.test", "500 5.5.1 "),
        ("EHLO", "500 5.5.1 "),
        ("MAIL FROM:<s@sender.test>", "503 5.5.1 Send LHLO first"),
        ("LHLO", "501 5.5.4 "),
        ("HELP", "214 2.0.0 Commands: LHLO MAIL "),
        ("lhlo client.test", "250-"),
    ],
    "keywords are announced": [
        (
            "LHLO client.test",
            "250-mx.example.test\n250-SIZE 50000\n250-PIPELINING\n250-8BITMIME\n250-SMTPUTF8\n"
            "250-ENHANCEDSTATUSCODES\n250 XFORWARD NAME ADDR PROTO HELO",
        )
    ],
    "order": [
        ("DATA", "503 5.5.1 "),
        LHLO,
        ("DATA", "503 5.5.1 "),
        MAIL,
        ("DATA", "503 5.5.1 "),
        UNKNOWN,
        ("DATA", "503 5.5.1 No valid recipients"),
        ("MAIL FROM:<other@sender.test>", "503 5.5.1 "),
        RCPT,
        DATA,
        BODY,
        ("DATA", "503 5.5.1 "),
    ],
    "RSET and LHLO end a transaction": [
        LHLO,
        MAIL,
        RCPT,
        ("RSET", "250 2.0.0 "),
        ("DATA", "503 5.5.1 "),
        MAIL,
        RCPT,
        LHLO,
        ("DATA", "503 5.5.1 "),
    ],
    "nothing is relayed": [
        LHLO,
        MAIL,
        ("RCPT TO:<alice@elsewhere.test>", "550 5.7.1 "),
        ("RCPT TO:<postmaster@elsewhere.test>", "550 5.7.1 "),
        ("RCPT TO:<Postmaster>", "250 2.1.5 "),
    ],
    "parameters": [
        LHLO,
        ("MAIL FROM:<s@sender.test> SIZE=50001", "552 5.3.4 "),
        ("MAIL FROM:<s@sender.test> AUTH=<>", "555 5.5.4 "),
        ("MAIL FROM:<δοκιμή@sender.test>", "550 5.6.7 "),
        ("MAIL FROM:<δοκιμή@sender.test> SIZE=1000 BODY=8BITMIME SMTPUTF8", "250 2.1.0 "),
        ("RCPT TO:<用户@例え.test>", "250 2.1.5 "),
        DATA,
        ("Subject: ü\r\n\r\nü\r\n.\r\n".encode(), "250 2.0.0 "),
    ],
    "a message that is refused is refused for each": [
        LHLO,
        MAIL,
        RCPT,
        FULL,
        DATA,
        (b"a\nb\r\n.\r\n", "550 5.6.0 "),
        then("550 5.6.0 "),
        MAIL,
        RCPT,
        BOB,
        DATA,
        (b"a\0b\r\n.\r\n", "550 5.6.0 "),
        then("550 5.6.0 "),
        MAIL,
        RCPT,
        FULL,
        DATA,
        (b"Received: from a by b; x\r\n" * 51 + b"\r\n.\r\n", "554 5.4.6 "),
        then("452 4.2.2 "),
    ],
    "a message that is too large": [
        LHLO,
        MAIL,
        RCPT,
        BOB,
        DATA,
        (b"x" * 60_000 + b"\r\n.\r\n", "552 5.3.4 "),
        then("552 5.3.4 "),
        QUIT,
    ],
    "XFORWARD": [
        ("XFORWARD ADDR=192.0.2.7", "503 5.5.1 Send LHLO first"),
        LHLO,
        CLIENT,
        ("xforward port=25 ident=4FZ source=remote", "250 2.0.0 "),
        ("XFORWARD  NAME=[UNAVAILABLE]  ADDR=[unavailable] HELO=[TempUnavail]", "250 2.0.0 "),
        ("XFORWARD ADDR=IPV6:2001:db8::25", "250 2.0.0 "),
        MAIL,
        ("XFORWARD HELO=a.test", "503 5.5.1 Mail transaction in progress"),
        ("RSET", "250 2.0.0 "),
        CLIENT,
    ],
    "XFORWARD that can't be read": [
        LHLO,
        ("XFORWARD", "501 5.5.4 "),
        ("XFORWARD ADDR", "501 5.5.4 "),
        ("XFORWARD ADDR=", "501 5.5.4 "),
        ("XFORWARD ADDR=here", "501 5.5.4 "),
        ("XFORWARD ADDR=[192.0.2.7]", "501 5.5.4 "),
        ("XFORWARD ADDR=192.0.2.7 ADDR=192.0.2.8", "501 5.5.4 "),
        ("XFORWARD LOGIN=ann", "501 5.5.4 "),
        ("XFORWARD HELO=a+2", "501 5.5.4 "),
        ("XFORWARD HELO=ü.test", "501 5.5.4 "),
        ("XFORWARD HELO=" + "x" * 255, "250 2.0.0 "),
        ("XFORWARD HELO=" + "x" * 256, "501 5.5.4 "),
    ],
    "another protocol": [("GET / HTTP/1.1", "421 4.7.0 ")],
}
