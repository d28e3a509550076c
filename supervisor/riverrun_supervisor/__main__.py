"""``python -m riverrun_supervisor``: the daemon of one host, as ``queuectl start`` runs it."""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends us without a traceback

from riverrun_supervisor.main import main  # noqa: E402

raise SystemExit(main())
