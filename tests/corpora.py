"""Where the corpora are: real mail and public test suites that are no part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent


def corpora_root() -> Path:
    """The folder that MAILFOLD_CORPORA names, seen from the project's root when relative."""
    return (_ROOT / os.environ.get("MAILFOLD_CORPORA", "../shared/corpora")).resolve()


def corpora(*parts: str) -> Path:
    """The file or folder `parts` of the corpora.

    Skips the test and names the folder when the corpora are not there; fails when they are there
    and this part is missing or empty, since an empty set proves nothing.
    """
    root = corpora_root()
    if not root.is_dir():
        pytest.skip(f"no corpora in {root} (set MAILFOLD_CORPORA)")
    path = root.joinpath(*parts)
    empty = not any(path.iterdir()) if path.is_dir() else not path.is_file()
    if empty:
        pytest.fail(f"nothing in {path}")
    return path


def corpus_files(*parts: str, pattern: str = "*") -> list[Path]:
    """The files below a folder of the corpora that match `pattern`, sorted; never none."""
    found = sorted(p for p in corpora(*parts).rglob(pattern) if p.is_file())
    if not found:
        pytest.fail(f"no {pattern} in {corpora(*parts)}")
    return found
