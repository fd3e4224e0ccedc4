"""How long reading one message takes: `python -m tests.bench.mail_formats`."""

from __future__ import annotations

import platform
import time
import timeit
from collections.abc import Callable

from mail.addresses import parse_addresses
from mail.dates import parse_date
from mail.fields import split_header
from mail.message import digest
from mail.parts import parse
from mail.segments import join, split
from mail.text import body_text

_HEADER = b"""\
Received: from mail-lf1-f41.example.net (mail-lf1-f41.example.net [192.0.2.41])
\tby mx.example.org (Postfix) with ESMTPS id 4BBqkT2xqWz9sVH
\tfor <b@example.org>; Wed,  1 Jul 2020 05:04:01 +0000 (UTC)
Received: by mail-lf1-f41.example.net with SMTP id c11so12843233lfh.8
        for <b@example.org>; Tue, 30 Jun 2020 22:04:01 -0700 (PDT)
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=20161025;
        h=mime-version:references:in-reply-to:from:date:message-id:subject:to;
        bh=g3zLYH4xKxcPrHOD18z9YfpQcnk/GaJedfustWU5uGs=;
        b=gO2hgRoErCDd9kT4bqRd2mGO/vXvHp8K0Gz1vAq6mq0nB9Xx0m1lXQ8rYd4j7oVvmE
         tB2w7kq3L0n5oGm1u8c9s4y6p0z2x4v6b8n0m2a4s6d8f0g2h4j6k8l0q2w4e6r8t0y2
MIME-Version: 1.0
References: <one@example.org> <two@example.net>
In-Reply-To: <two@example.net>
From: =?utf-8?q?J=C3=B6rg_M=C3=BCller?= <joerg@example.net>
Date: Wed, 1 Jul 2020 01:03:41 -0400
Message-ID: <three@example.net>
Subject: Re: [list] =?utf-8?q?Sch=C3=B6ne?= virtual hosts on IPv6
To: "List, The" <list@example.org>, b@example.org
List-Id: The list <list.example.org>
Content-Type: multipart/alternative; boundary="00000000000006527f05a9622ffd"

"""
_TEXT = b"On virtual hosts: a line of text that is about as long as lines are, really.\n"


def _alternative(size: int) -> bytes:
    lines = size // 2 // len(_TEXT)
    text = b'Content-Type: text/plain; charset="UTF-8"\n\n' + _TEXT * lines
    html = (
        b"Content-Type: text/html; charset=\"UTF-8\"\n"
        b"Content-Transfer-Encoding: quoted-printable\n\n"
        + b"<div dir=3D\"ltr\">" + b"<p>" + _TEXT * lines + b"</div>\n"
    )  # fmt: skip
    mark = b"--00000000000006527f05a9622ffd"
    message = _HEADER + mark + b"\n" + text + mark + b"\n" + html + mark + b"--\n"
    return message.replace(b"\n", b"\r\n")


def _milliseconds(function: Callable[[], object], repeats: int) -> float:
    return (
        min(timeit.repeat(function, timer=time.process_time, number=repeats, repeat=7))
        / repeats
        * 1000
    )


def main() -> None:
    """Print a table: milliseconds of CPU for one call, the best of seven runs."""
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"{'what':24}" + "".join(f"{size // 1000:>9} kB" for size in (2_000, 10_000, 75_000)))
    raws = [_alternative(size) for size in (2_000, 10_000, 75_000)]
    trees = [parse(raw) for raw in raws]
    plain = [raw.replace(b"text/plain", b"text/other") for raw in raws]
    rows: list[tuple[str, list[Callable[[], object]]]] = [
        ("split_header", [lambda r=r: split_header(r) for r in raws]),
        ("parse", [lambda r=r: parse(r) for r in raws]),
        ("digest", [lambda r=r: digest(r) for r in raws]),
        ("digest, HTML only", [lambda r=r: digest(r) for r in plain]),
        ("body_text", [lambda r=r, t=t: body_text(r, t) for r, t in zip(raws, trees, strict=True)]),
        ("split", [lambda r=r: split(r) for r in raws]),
        ("join of split", [lambda s=split(r): join(s.skeleton, bytes) for r in raws]),
        ("parse_addresses", [lambda: parse_addresses(b' "List, The" <list@example.org>')] * 3),
        ("parse_date", [lambda: parse_date(b" Wed, 1 Jul 2020 01:03:41 -0400")] * 3),
    ]
    for name, calls in rows:
        print(f"{name:24}" + "".join(f"{_milliseconds(call, 100):>12.4f}" for call in calls))


if __name__ == "__main__":
    main()
