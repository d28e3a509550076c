"""What tests of whole processes share."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.queuectl import Queuectl


@pytest.fixture
def queuectl(database: str, tmp_path: Path) -> Queuectl:
    """Give ``queuectl`` for the test's own database."""
    return Queuectl(database, tmp_path)
