"""The command line: one module a subject, loaded when it is called."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import click

_COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("serve:serve", "Run the mail system until it is stopped."),
    "demo": ("serve:demo", "Run it with a demo account and sample mails."),
    "child": ("serve:child", ""),
    "domain": ("accounts:domain", "Domains that mail is accepted for."),
    "account": ("accounts:account", "Accounts, each with one mailbox."),
    "alias": ("accounts:alias", "Addresses that reach accounts, or other hosts."),
    "token": ("accounts:token", "Tokens for the REST API."),
    "filter": ("filters:filter_", "Filters of an account: what is done to its new mail."),
    "import": ("imports:import_", "Import mbox, Maildir, .eml, folders or tars of them."),
    "check": ("check:check", "Judge a message by SPF, DKIM, ARC, DMARC and the rules."),
    "search": ("search:search", "Find messages of an account."),
    "erase": ("erase:erase", "Erase a mail for good, in one mailbox or everywhere."),
    "at": ("timetravel:at", "List a mailbox as it was at a time."),
    "diff": ("timetravel:diff", "Show what changed in a mailbox between two times."),
    "trace": ("events:trace", "Show every event of one mail, all stages, with times."),
    "events": ("events:events", "Read the topics."),
    "projection": ("projections:projection", "Projections: list, rebuild, verify."),
    "queue": ("queue:queue", "Mail to other hosts: list, show, try now, drop."),
    "dead": ("dead:dead", "Dead letters: list, show, try again."),
    "doctor": ("doctor:doctor", "Say what is wrong with this installation."),
}
"""Where each command is and what it does, so that help loads none of them."""


class _Lazy(click.Group):
    """Loads a command's module when it is used: one that needs no server starts none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(importlib.import_module(f"mailfold.cli.{module}"), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, text) for name, (_, text) in _COMMANDS.items() if text]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as e:
            # Loaded now: a command that goes well needs none of it.
            from mailfold.advice import advice
            from mailfold.cli.output import Failure

            text = advice(e)
            if text is None:
                raise
            raise Failure(text) from e


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", type=click.Path(path_type=Path), help="Data folder (or MAILFOLD_DATA).")
@click.version_option(package_name="mailfold")
def main(data: Path | None) -> None:
    """Mail as an event-sourced stream: receive it, read it, trace it, replay it."""
    import logging

    logging.basicConfig(
        level=os.environ.get("MAILFOLD_LOG", "WARNING").upper(),
        format="%(asctime)s %(levelname)s [%(process)d] %(name)s: %(message)s",
    )
    if data is not None:
        os.environ["MAILFOLD_DATA"] = str(data)
