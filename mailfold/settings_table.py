"""The table of settings in the documentation.

`python -m mailfold.settings_table PAGE` writes it between the marks of a page.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import msgspec

from mailfold.settings import Settings, descriptions

_MARKED = re.compile(r"(<!-- settings -->\n).*?(<!-- /settings -->)", re.DOTALL)
# Where the default is another on each machine.
_DEFAULTS = {"hostname": "the machine's name", "data": "`data`"}


def table() -> str:
    """Return all settings as a Markdown table."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    told = descriptions()
    for field in msgspec.structs.fields(Settings):
        default = _DEFAULTS.get(field.name)
        if default is None:
            default = "" if field.default in ("", None) else f"`{field.default}`"
        lines.append(f"| `MAILFOLD_{field.name.upper()}` | {default} | {told[field.name]} |")
    return "\n".join(lines) + "\n"


def written(page: str) -> str:
    """Return the text of a page with the table of now between its marks."""
    return _MARKED.sub(lambda m: m[1] + table() + m[2], page)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
