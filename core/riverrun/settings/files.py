"""Which configuration file is meant when none is named, and where the documented example is."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path


def configured_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return ``path``, else the file that ``RIVERRUN_CONFIG`` names, else ``./config.yaml`` if there is one."""
    named = path or (Path(environ["RIVERRUN_CONFIG"]) if environ.get("RIVERRUN_CONFIG") else None)
    if named is None and Path("config.yaml").exists():
        named = Path("config.yaml")
    return named.expanduser().absolute() if named else None


def example_file() -> Path:
    """Return the documented example: inside an installed package, or at the top of a checkout."""
    package = Path(str(files("riverrun")))
    installed = package / "config.example.yaml"
    return installed if installed.exists() else package.parents[1] / "config.example.yaml"
