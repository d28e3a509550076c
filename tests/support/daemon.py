"""The daemon with programs of the tests in place of its roles; ``python -m support.daemon`` takes its options."""

from __future__ import annotations

from riverrun_supervisor.main import main

ROLES = {role: f"support.roles.{role}" for role in ("scheduler", "executor", "admin")}

if __name__ == "__main__":
    raise SystemExit(main(modules=ROLES))
