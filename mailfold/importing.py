"""Import through the intake, as the command line does."""

from __future__ import annotations
