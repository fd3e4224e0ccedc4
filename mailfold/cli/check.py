"""check: what authentication and the spam rules say about one message; needs no installation."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import click
import yaml

from mail.authentication.evaluate import AuthSettings, Envelope, Verdict
from mail.authentication.resolution import (
    Judged,
    ResolutionLimits,
    Resolve,
    authenticate_from,
    resolve_and_authenticate,
)
from mail.authentication.zone import Zone
from mailfold.cli.output import Failure
from mailfold.policy import auth_settings
from mailfold.settings import Settings, SettingsError, load
from mailfold.verdict_report import document, lines, spf_document, spf_lines


def _address(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return str(ip_address(value.strip("[]").removeprefix("IPv6:")))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no IP address") from error


@click.command()
@click.argument("file", required=False, metavar="[FILE|-]")
@click.option("--ip", callback=_address, help="Address of the SMTP client.")
@click.option("--helo", default="", help="What the client said in HELO or EHLO.")
@click.option("--mail-from", default="", help="Reverse-path; leave it out when it is null.")
@click.option("--rcpt", "recipients", multiple=True, help="Forward-path; for the record.")
@click.option(
    "--zone",
    type=click.Path(path_type=Path),
    help="Answer DNS from this YAML or JSON file, and from nothing else.",
)
@click.option("--mail", "mail_id", metavar="MAIL_ID", help="A stored mail, from its evidence.")
@click.option("--now", is_flag=True, help="With --mail: ask DNS afresh and show what changed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def check(
    file: str | None,
    ip: str | None,
    helo: str,
    mail_from: str,
    recipients: tuple[str, ...],
    zone: Path | None,
    mail_id: str | None,
    now: bool,
    as_json: bool,
) -> None:
    """Judge the message in FILE (- is the standard input) by SPF, DKIM, ARC, DMARC and the rules.

    Without FILE only SPF is checked, for which --ip and one of --helo and --mail-from are needed.
    With --mail a stored mail is judged again; exit status 1 when the verdict is another one.
    """
    if mail_id is not None:
        if file is not None or zone is not None or ip is not None:
            raise click.UsageError("--mail needs neither FILE nor --zone nor --ip")
        _again(mail_id, now=now, as_json=as_json)
        return
    if file is None and (ip is None or not (helo or mail_from)):
        raise click.UsageError("without FILE give --ip and --mail-from or --helo")
    del recipients  # no check depends on the recipient; the option completes an envelope
    raw = b"" if file is None else _read(file)
    settings = _settings()
    envelope = Envelope(ip, helo, mail_from.strip().strip("<>"), settings.hostname)
    verdict = _judge(raw, envelope, zone, settings).verdict
    if file is None:
        if as_json:
            click.echo(json.dumps({"spf": spf_document(verdict.spf)}, ensure_ascii=False))
        else:
            click.echo("\n".join(spf_lines(verdict.spf)))
        return
    spam = _spam(raw, verdict)
    if as_json:
        click.echo(json.dumps({**document(verdict), "spam": spam}, ensure_ascii=False))
        return
    click.echo("\n".join(lines(verdict)))
    click.echo(f"spam  {spam['verdict']:<9} probability {spam['probability']:.3f}")
    for reason in spam["reasons"]:
        click.echo(f"              {reason}")


def _again(mail_id: str, *, now: bool, as_json: bool) -> None:
    from mailfold import rejudge
    from mailfold.wiring import dns_resolver, open_house

    with open_house() as house:
        try:
            mail = rejudge.stored(house, mail_id.lower())
        except rejudge.NotStored as error:
            raise Failure(str(error)) from error
        decided = house.policy()
        verdict = (
            rejudge.from_dns(mail, dns_resolver(house.settings), decided)
            if now
            else rejudge.from_evidence(mail, decided)
        )
    changed = list(rejudge.differences(mail.then, verdict))
    if as_json:
        click.echo(json.dumps({**document(verdict), "changed": changed}, ensure_ascii=False))
    else:
        click.echo("\n".join(lines(verdict)))
        click.echo("\n".join(changed) or "The verdict is the one of the day it came.")
    if changed and not now:
        raise click.exceptions.Exit(1)


def _read(file: str) -> bytes:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}; name a file that holds one message") from error
    # As an import does: a file with bare LF stands for a message with CRLF.
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _judge(raw: bytes, envelope: Envelope, zone: Path | None, settings: Settings) -> Judged:
    now = datetime.now(UTC)
    decided = _policy(settings)
    if zone is not None:
        return authenticate_from(raw, envelope, _zone(zone), now, decided)
    limits = ResolutionLimits(seconds=settings.dns_timeout)
    resolve = _resolver(settings)
    return asyncio.run(resolve_and_authenticate(raw, envelope, resolve, now, decided, limits))


def _settings() -> Settings:
    try:
        return load()
    except SettingsError as error:
        raise Failure(str(error)) from error


def _policy(settings: Settings) -> AuthSettings:
    """Return what was decided here; one message can be judged without an installation, too."""
    try:
        if not settings.accounts_path.is_file():
            return auth_settings(settings)
        from mailfold.wiring import open_house

        with open_house(settings) as house:
            return house.policy()
    except SettingsError as error:
        raise Failure(str(error)) from error


def _resolver(settings: Settings) -> Resolve:
    # Only here, so that a check against a zone loads no engine.
    from mailfold.wiring import dns_resolver

    try:
        return dns_resolver(settings)
    except ValueError as error:
        raise Failure(str(error)) from error


def _zone(path: Path) -> Zone:
    try:
        data: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}; name a zone file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Failure(f"{path} is neither YAML nor JSON") from error
    if isinstance(data, dict) and "zonedata" in data:
        data = cast("dict[str, object]", data)["zonedata"]
    if not isinstance(data, dict):
        raise Failure(f"{path} holds no zone: write NAME: [{{TXT: …}}, …]")
    try:
        return Zone(cast("dict[str, object]", data))
    except ValueError as error:
        raise Failure(f"{path}: {error}") from error


def _spam(raw: bytes, verdict: Verdict) -> dict[str, Any]:
    from mail.message import digest
    from streams.inbound.digest import facts_of
    from streams.inbound.score import score

    found = score(facts_of(raw, digest(raw), verdict.suspicions))
    return {
        "verdict": found.verdict,
        "probability": round(found.probability, 6),
        "reasons": list(found.reasons),
    }
