"""An admin process that keeps no answer for the next reader, so that each one which is measured is made anew.

Waiting until kept answers are too old would measure a machine that has rested, not the pages.
"""

from __future__ import annotations

from riverrun.process import run_role
from riverrun_admin import overview
from riverrun_admin.__main__ import main
from riverrun_admin.recent import Recent

get = Recent.get


def _forgetful() -> None:
    overview.FRESH_SECONDS = 0.0
    Recent.get = lambda self, key, ask, *, seconds: get(self, key, ask, seconds=0.0)  # type: ignore[method-assign]


if __name__ == "__main__":
    _forgetful()
    raise SystemExit(run_role("admin", main))
