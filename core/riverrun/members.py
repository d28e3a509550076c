"""Members of a job's metadata, as producers and handlers may give them: checked, and as JSON text by name."""

from __future__ import annotations

import json
from collections.abc import Mapping

from riverrun.errors import InvalidInput
from riverrun.json_input import check_metadata
from riverrun.sanitize import clean_json

OUTPUT_KEY = "output"
MAX_OUTPUT_BYTES = 32 * 1024 * 1024
"""River's own limit for the output of a job."""

RESERVED = ("river:", "riverrun:")
"""Names that begin so are written by River and by us alone."""


def check_own_metadata(metadata: object, field: str) -> str:
    """Return metadata as JSON text.

    Raises:
        InvalidInput: Not a mapping of names to JSON values, or a name is reserved.
    """
    text = check_metadata(metadata, field)
    names = [name for name in json.loads(text) if name.startswith(RESERVED)]
    if names:
        allowed = "a key that does not begin with river: or riverrun:"
        raise InvalidInput(f"{field}.{names[0]}", names[0], allowed, code="format")
    return text


def own_members(metadata: object) -> dict[str, str]:
    """Return each member of metadata; errors as `check_own_metadata`."""
    members = json.loads(check_own_metadata(metadata, "metadata"))
    return {key: json.dumps(value, ensure_ascii=False) for key, value in members.items()}


def output_member(value: object) -> dict[str, str]:
    """Return the member that holds the output of a job, whatever it is; see `sanitize.clean_json`."""
    return {OUTPUT_KEY: clean_json(value, limit=MAX_OUTPUT_BYTES)}


def object_of(members: Mapping[str, str]) -> str | None:
    """Return an object of ``members``; ``None`` when there are none."""
    if not members:
        return None
    return "{" + ",".join(f"{json.dumps(key)}:{text}" for key, text in members.items()) + "}"
