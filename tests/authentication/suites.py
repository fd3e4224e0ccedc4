"""The public test suites of the corpora, for modules that read their cases when collected."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpora import corpora, corpora_root


def suite(name: str) -> Path:
    """Return the folder `name` of the corpora; skip the module when there are no corpora."""
    if not corpora_root().is_dir():
        pytest.skip(f"no corpora in {corpora_root()}", allow_module_level=True)
    return corpora(name)
