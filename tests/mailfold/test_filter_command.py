"""mailfold filter: add, list, remove, on an installation that is not being served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mailfold.cli import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    cli = Cli(tmp_path / "data")
    cli.set_up()
    return cli


def test_filters_are_added_listed_and_removed(cli: Cli) -> None:
    ann = "ann@example.test"
    query = "from:news@example.org -subject:urgent"
    one = cli.done("filter", "add", ann, query, "--label", "News", "--archive", "--read").strip()
    two = cli.done("filter", "add", ann, "list:dev", "--never-spam", "--star").strip()
    first, second = cli.rows("filter", "list", ann)
    assert first == {
        "id": one,
        "query": query,
        "labels": ["News"],
        "archive": True,
        "star": False,
        "markRead": True,
        "neverSpam": False,
    }
    assert (second["id"], second["star"], second["neverSpam"]) == (two, True, True)
    cli.done("filter", "remove", ann, one)
    assert [x["id"] for x in cli.rows("filter", "list", ann)] == [two]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["add", "ann@example.test", "from:ann (x", "--star"], "at character 10: this parenthesis"),
        (["add", "ann@example.test", "from:ann"], "say what to do"),
        (["add", "ann@example.test", "x", "--label", "SENT"], "nothing is filtered into"),
        (["add", "ann@example.test", "x", "--label", "INBOX", "--archive"], "stands alone"),
        (["add", "nobody@example.test", "x", "--star"], "there is no account"),
        (["list", "nobody@example.test"], "there is no account"),
        (["remove", "ann@example.test", "x"], "there is no such filter"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    cli: Cli, arguments: list[str], told: str
) -> None:
    result = cli("filter", *arguments)
    assert result.exit_code == 1
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
