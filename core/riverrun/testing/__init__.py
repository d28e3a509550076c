"""Helpers for tests of applications that enqueue jobs and handle them; they need no daemon, and no plugin of pytest.

They work on the connection of the test, so what they see and do is rolled back with its transaction.
"""

from __future__ import annotations

from riverrun.testing.inline import AsyncInlineClient, InlineClient
from riverrun.testing.required import enqueued, require_enqueued, require_not_enqueued
from riverrun.testing.work import Worked, work_one

__all__ = [
    "AsyncInlineClient",
    "InlineClient",
    "Worked",
    "enqueued",
    "require_enqueued",
    "require_not_enqueued",
    "work_one",
]
