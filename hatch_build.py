"""Why a build step of our own: the wheel carries `sql/` and the example configuration, a development install must not.

An editable install reads both from the checkout; copies beside it would grow old unseen.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CarryData(BuildHookInterface[Any]):
    """Puts the data files of the checkout into the package `riverrun` of a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds ``version``: ``standard`` or ``editable``."""
        if version == "standard":
            build_data["force_include"]["sql"] = "riverrun/sql"
            build_data["force_include"]["config.example.yaml"] = "riverrun/config.example.yaml"
