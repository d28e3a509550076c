"""Names the files that handlers were read from, so that in development a change of them can be seen."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Collection


def files_since(known: Collection[str]) -> list[str]:
    """Return the files of the modules that were imported after ``known``; what was installed is nobody's to edit."""
    installed = tuple({sysconfig.get_path(name) + "/" for name in ("stdlib", "purelib", "platlib")})
    files = {getattr(module, "__file__", None) for name, module in list(sys.modules.items()) if name not in known}
    return sorted(file for file in files if file is not None and not file.startswith(installed))
