from __future__ import annotations

from mailfold.settings import descriptions
from mailfold.settings_table import table, written
from tests.system import ROOT


def test_the_documented_settings_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    assert written(page) == page, "run `make docs`"
    assert table() in page


def test_every_setting_says_what_it_means() -> None:
    for name, text in descriptions().items():
        assert text.endswith("."), name
        assert "|" not in text, name
