"""The one place that knows where the folder ``sql/`` is: inside the wheel, or at the top of a checkout."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def sql_folder() -> Traversable:
    """Return the folder that holds ``migrations/``, ``queries/`` and the script for ``psql``."""
    packaged = files("riverrun") / "sql"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "sql"
