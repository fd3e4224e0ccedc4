"""Canaries: a word of its own in every place where a person can put something into the system.

Domains are no such place: those of the reverse-path, of From and of signatures are plain by the
schemas, and so are flags.
"""

from __future__ import annotations

import base64
import quopri
from collections.abc import Mapping
from email.header import Header

RECEIVED, DIGEST, LABEL = "ReceivedSecret", "Digest", "LabelSecret"
AUTHENTICATED, FILTER = "AuthenticatedSecret", "FilterSecret"

MARK = "kanarie"


def canary(slot: str) -> str:
    """The word of a slot: letters and digits alone, so that it passes wherever a name may."""
    return f"{MARK}{slot.replace('-', '')}x"


# Slot -> the sealed records in which it must be found again when they are opened.
SLOTS: Mapping[str, frozenset[str]] = {
    slot: frozenset(where)
    for slot, where in {
        "helo": (RECEIVED, DIGEST),
        "reverse-path": (RECEIVED, DIGEST),
        "sub-address": (RECEIVED,),
        "from-name": (RECEIVED, DIGEST),
        "from-address": (RECEIVED, DIGEST),
        "sender": (RECEIVED,),
        "reply-to": (RECEIVED, DIGEST),
        "to-name": (RECEIVED, DIGEST),
        "to-address": (RECEIVED, DIGEST),
        "cc": (RECEIVED, DIGEST),
        "bcc": (RECEIVED,),
        "subject": (RECEIVED, DIGEST),
        "subject-encoded": (DIGEST,),
        "date-comment": (RECEIVED,),
        "message-id": (RECEIVED, DIGEST),
        "in-reply-to": (RECEIVED, DIGEST),
        "references": (RECEIVED, DIGEST),
        "comments": (RECEIVED,),
        "keywords": (RECEIVED,),
        "list-id": (RECEIVED, DIGEST),
        "list-unsubscribe": (RECEIVED,),
        "received": (RECEIVED,),
        "return-path": (RECEIVED,),
        "delivered-to": (RECEIVED,),
        "forged-results": (RECEIVED,),
        "signature-identity": (RECEIVED,),
        "signature-algorithm": (RECEIVED,),
        "seal-tag": (RECEIVED,),
        "unknown-field": (RECEIVED,),
        "field-name": (RECEIVED,),
        "malformed-line": (RECEIVED,),
        "type-parameter": (RECEIVED,),
        "boundary": (RECEIVED,),
        "preamble": (RECEIVED,),
        "text": (RECEIVED, DIGEST),
        "html": (RECEIVED,),
        "html-comment": (RECEIVED,),
        "content-id": (RECEIVED,),
        "content-description": (RECEIVED,),
        "file-name": (RECEIVED, DIGEST),
        "file-name-encoded": (RECEIVED, DIGEST),
        "attachment": (RECEIVED,),
        "epilogue": (RECEIVED,),
        "large-attachment": (),
        "null-helo": (RECEIVED, AUTHENTICATED, DIGEST),
        "quoted-printable": (DIGEST,),
        "base64": (DIGEST,),
        "label": (LABEL,),
        "label-renamed": (LABEL,),
        "label-imported": (LABEL,),
        "label-in-header": (RECEIVED, LABEL),
        "filter": (FILTER,),
        "filter-replaced": (FILTER,),
        "imported": (RECEIVED, DIGEST),
        "idempotency-key": (),
        "unknown-recipient": (),
        "login": (),
        "password": (),
        "query": (),
        "route": (),
    }.items()
}

C = {slot: canary(slot) for slot in SLOTS}


def everything() -> bytes:
    """A message with a canary in every part of it."""
    encoded = Header(f"Grüße {C['subject-encoded']}", "utf-8").encode()
    large = base64.encodebytes((C["large-attachment"] + "\n").encode() * 8_000)
    b = C["boundary"]
    text = f"""\
Return-Path: <{C["return-path"]}@sender.example>
Received: from {C["received"]}.example by other.example; Tue, 24 Nov 2026 08:00:00 +0000
Authentication-Results: mx.example.test; spf=pass smtp.mailfrom={C["forged-results"]}@x.example
DKIM-Signature: v=1; a={C["signature-algorithm"]}; d=sender.example; s=sel;
 i={C["signature-identity"]}@sender.example; h=from; bh=AAAA; b=AAAA
ARC-Seal: i=1; a=rsa-sha256; cv=none; d=sender.example; s=sel; x={C["seal-tag"]}; b=AAAA
ARC-Message-Signature: i=1; a=rsa-sha256; d=sender.example; s=sel; h=from; bh=AAAA; b=AAAA
ARC-Authentication-Results: i=1; sender.example; none
Delivered-To: {C["delivered-to"]}@example.test
From: {C["from-name"]} <{C["from-address"]}@sender.example>
Sender: {C["sender"]}@sender.example
Reply-To: {C["reply-to"]}@sender.example
To: {C["to-name"]} <{C["to-address"]}@example.test>
Cc: {C["cc"]}@example.test
Bcc: {C["bcc"]}@example.test
Subject: about {C["subject"]} {encoded}
Date: Tue, 24 Nov 2026 08:00:00 +0000 ({C["date-comment"]})
Message-ID: <{C["message-id"]}@sender.example>
In-Reply-To: <{C["in-reply-to"]}@sender.example>
References: <{C["references"]}@sender.example> <{C["in-reply-to"]}@sender.example>
Comments: {C["comments"]}
Keywords: {C["keywords"]}
List-Id: a list <{C["list-id"]}.lists.example>
List-Unsubscribe: <mailto:{C["list-unsubscribe"]}@sender.example>
X-Anything: {C["unknown-field"]}
X-{C["field-name"]}: a name may say something too
a line without a colon {C["malformed-line"]}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary={b}; note={C["type-parameter"]}

{C["preamble"]}
--{b}
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8

{C["text"]}
--inner
Content-Type: text/html; charset=utf-8

<!-- {C["html-comment"]} --><p>{C["html"]}</p>
--inner--
--{b}
Content-Type: text/plain; charset=utf-8
Content-ID: <{C["content-id"]}@sender.example>
Content-Description: {C["content-description"]}
Content-Disposition: attachment; filename="{C["file-name"]}.txt"

{C["attachment"]}
--{b}
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename*=utf-8''{C["file-name-encoded"]}%20%C3%BC.bin

{large.decode().rstrip()}
--{b}--
{C["epilogue"]}
"""
    return text.replace("\n", "\r\n").encode()


def bounce() -> bytes:
    """A message from nobody, whose text is coded in two ways."""
    coded = quopri.encodestring(f"ü {C['quoted-printable']}\n".encode()).decode()
    # Without a break after each letter of it the word would stand in the text as it is.
    coded = coded.replace(C["quoted-printable"][0], f"={ord(C['quoted-printable'][0]):02X}", 1)
    text = f"""\
From: postmaster@sender.example
Subject: {Header(C["base64"], "utf-8").encode()}
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

{coded}"""
    return text.replace("\n", "\r\n").encode()


def stored_elsewhere() -> bytes:
    """An mbox with one message that another program kept under a label."""
    return (
        f"From someone@sender.example Tue Nov 24 08:00:00 2026\n"
        f"X-Gmail-Labels: {C['label-in-header']},Unread\n"
        f"From: a@sender.example\nSubject: {C['imported']}\n\ntext\n\n"
    ).encode()
