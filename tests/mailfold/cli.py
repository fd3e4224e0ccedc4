"""The command line in this process, on an installation of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from mailfold.cli import main


class Cli:
    """Runs `mailfold ARGUMENTS` on one data folder."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.data = data
        self._runner = CliRunner(env={"MAILFOLD_DATA": str(data), **environment})

    def __call__(self, *arguments: str, stdin: str = "") -> Result:
        return self._runner.invoke(main, arguments, input=stdin)

    def done(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must go well; return what it printed."""
        result = self(*arguments, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """Run a listing with --json; return its rows."""
        return [json.loads(line) for line in self.done(*arguments, "--json").splitlines()]

    def set_up(self) -> str:
        """Make a domain and an account, and return its address."""
        self.done("domain", "add", "example.test")
        self.done("account", "add", "ann@example.test", "--password-stdin", stdin="secret\n")
        return "ann@example.test"
