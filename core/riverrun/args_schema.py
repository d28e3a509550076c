"""What the arguments of a kind look like, as a JSON Schema: the one place where one is checked.

It makes forms; jobs are not refused because of it, since their handler may know better.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riverrun.errors import InvalidInput
from riverrun.job import decode_json
from riverrun.json_input import check_args

LARGEST = 64 * 1024


def check_args_schema(value: object, field: str) -> Mapping[str, Any] | None:
    """Return a schema, as it will come back from the database; ``None`` stands for none.

    Raises:
        InvalidInput: It is not the schema of an object, or larger than 64 KiB.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise InvalidInput(field, type(value).__name__, "a JSON Schema of an object, or null", code="type")
    text = check_args(value, field)
    if len(text.encode()) > LARGEST:
        raise InvalidInput(field, len(text), f"at most {LARGEST} bytes of JSON", code="length")
    schema: Mapping[str, Any] = decode_json(text)
    if schema.get("type", "object") != "object":
        raise InvalidInput(f"{field}.type", schema["type"], "object, because arguments are one", code="format")
    members = schema.get("properties", {})
    if not isinstance(members, Mapping) or not all(isinstance(each, Mapping | bool) for each in members.values()):
        raise InvalidInput(f"{field}.properties", "…", "an object of schemas", code="type")
    return schema
