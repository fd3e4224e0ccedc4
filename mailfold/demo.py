"""The demo: a domain, an account and a handful of mails that show what the system does."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

from ingress.arrival import Envelope, arrival
from mailfold.mailboxes import open_mailbox
from mailfold.wiring import House
from schemas.seal import new_key

DOMAIN = "example.test"
ADDRESS = f"demo@{DOMAIN}"


def prepare(house: House) -> str | None:
    """Make what is missing of the demo. Return the password when the account was made now."""
    house.prepare()
    if house.directory.account(ADDRESS) is not None:
        return None
    if not house.directory.hosts(DOMAIN):
        house.directory.add_domain(DOMAIN)
    password = secrets.token_urlsafe(9)
    account = house.directory.add_account(ADDRESS, password, house.settings.quota_bytes)
    open_mailbox(house, account.mailbox_id)
    now = datetime.now(UTC).replace(microsecond=0)
    asyncio.run(_accept(house, samples(now), account.mailbox_id))
    return password


async def _accept(house: House, mails: Iterator[bytes], mailbox_id: str) -> None:
    for raw in mails:
        await house.intake.accept(
            arrival(
                raw,
                Envelope(source="api", reverse_path="", forward_paths=(ADDRESS,)),
                (mailbox_id,),
                key=new_key(house.random),
                random=house.random,
                clock=house.clock,
                fingerprint=house.fingerprint,
            )
        )


def samples(now: datetime) -> Iterator[bytes]:
    """Yield the sample mails, oldest first, CRLF line ends."""
    ann, bob, me = "Ann Archer <ann@news.example>", "Bob Baker <bob@shop.example>", ADDRESS
    yield _mail(
        ann, me, "Welcome to mailfold", now - timedelta(days=2), "welcome",
        "Every fact about this mail is an event: received, authenticated, scored, threaded,\n"
        "labelled, delivered. Ask for its trace and you see all six.\n",
    )  # fmt: skip
    yield _mail(
        bob, me, "Lunch on Friday?", now - timedelta(days=1), "lunch",
        "Shall we meet at noon? The place by the river has a table.\n",
    )  # fmt: skip
    yield _mail(
        ann, f"{me}, {bob}", "Re: Lunch on Friday?", now - timedelta(hours=20), "lunch-2",
        "I'd come along, if there is room for three.\n", reply_to="lunch",
    )  # fmt: skip
    yield _mail(
        bob, f"{me}, {ann}", "Re: Lunch on Friday?", now - timedelta(hours=19), "lunch-3",
        "There is. See you both on Friday!\n", reply_to="lunch-2",
    )  # fmt: skip
    yield _mail(
        bob, me, "Your order 10-42", now - timedelta(hours=3), "order",
        "The invoice is attached.\n",
        html="<p>The <b>invoice</b> is attached.</p>",
        attachment=("invoice.csv", "item,price\nteapot,19.00\n"),
    )  # fmt: skip
    yield _mail(
        "山田太郎 <taro@mail.example>", me, "会議の資料", now - timedelta(minutes=30), "kaigi",
        "明日の会議の資料を送ります。\n",
    )  # fmt: skip


def _mail(
    author: str,
    to: str,
    subject: str,
    date: datetime,
    name: str,
    text: str,
    *,
    reply_to: str = "",
    html: str = "",
    attachment: tuple[str, str] | None = None,
) -> bytes:
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = author, to, subject
    m["Date"] = format_datetime(date)
    m["Message-ID"] = f"<{name}@samples.example>"
    if reply_to:
        m["In-Reply-To"] = m["References"] = f"<{reply_to}@samples.example>"
    m.set_content(text)
    if html:
        m.add_alternative(html, subtype="html")
    if attachment:
        m.add_attachment(attachment[1], subtype="csv", filename=attachment[0])
    return m.as_bytes().replace(b"\n", b"\r\n")
