"""Where the public test suites are: data that is not part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


def suite(name: str) -> Path:
    """Return the folder `name` of the corpora; skip the test module when it is not there."""
    base = Path(os.environ.get("MAILFOLD_CORPORA", _ROOT.parent / "shared" / "corpora"))
    folder = base / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there", allow_module_level=True)
    return folder
