"""A form for the arguments of a job, made of their JSON Schema, and the arguments that such a form has sent.

A text, a number, a choice and yes-or-no get a field that fits; whatever else there is is written as JSON. What is sent
goes into the arguments as it was typed, so no number loses a digit. The schema makes the form and judges nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from riverrun.errors import InvalidInput
from riverrun.json_input import check_args_text

PREFIX = "arg."
MOST_MEMBERS = 60
_LONGEST_HINT = 300
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")

Shape = Literal["text", "number", "integer", "boolean", "choice", "json"]


@dataclass(frozen=True, slots=True)
class Member:
    """One field of the form.

    Attributes:
        name: Its name in the arguments.
        shape: What it holds.
        required: Whether the arguments must have it.
        hint: What the schema says about it.
        value: What stands in it at first: text as it is, anything else as JSON; empty: nothing.
        choices: What may be chosen, each as JSON.
        least: The least number, as JSON; empty: any. ``most`` likewise.
        longest: The most characters of a text.
    """

    name: str
    shape: Shape
    required: bool
    hint: str
    value: str
    choices: tuple[str, ...] = ()
    least: str = ""
    most: str = ""
    longest: int | None = None

    @property
    def field(self) -> str:
        """Its name in the form."""
        return f"{PREFIX}{self.name}"


def members_of(schema: Mapping[str, Any] | None, known: Mapping[str, Any] | None = None) -> list[Member]:
    """Return the fields of a form, with the values of the arguments ``known``; none for a schema without members.

    The database keeps the members in an order of its own; what must be filled in comes first, large fields last.
    """
    if schema is None:
        return []
    listed, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(listed, Mapping) or not isinstance(required, list) or len(listed) > MOST_MEMBERS:
        return []
    members = [_member(name, _resolved(said, schema), name in required, known or {}) for name, said in listed.items()]
    return sorted(members, key=lambda member: (member.shape == "json", not member.required))


def args_text(members: Sequence[Member], given: Mapping[str, str]) -> str:
    """Return the JSON text of the arguments that a form has sent; a field that is empty and not required is left out.

    Raises:
        InvalidInput: A value is not what its field holds.
    """
    parts = [
        f"{json.dumps(each.name, ensure_ascii=False)}: {_json(each, given.get(each.field, ''))}"
        for each in members
        if each.required or given.get(each.field, "") != ""
    ]
    return "{" + ", ".join(parts) + "}"


def _member(name: str, said: Mapping[str, Any], required: bool, known: Mapping[str, Any]) -> Member:
    shape, choices = _shape(said)
    value = known.get(name, said.get("default"))
    hint = " – ".join(text for text in (said.get("title"), said.get("description")) if isinstance(text, str))
    longest = said.get("maxLength")
    return Member(
        name=name,
        shape=shape,
        required=required,
        hint="" if hint.replace(" ", "").lower() == name.replace("_", "").lower() else hint[:_LONGEST_HINT],
        value="" if value is None else value if shape == "text" and isinstance(value, str) else _dumped(value),
        choices=choices,
        least=_limit(said.get("minimum")),
        most=_limit(said.get("maximum")),
        longest=longest if isinstance(longest, int) and longest > 0 else None,
    )


def _shape(said: Mapping[str, Any]) -> tuple[Shape, tuple[str, ...]]:
    choices = said.get("enum")
    if isinstance(choices, list) and choices:
        return "choice", tuple(_dumped(each) for each in choices)
    match said.get("type"):
        case "string":
            return "text", ()
        case "number" | "integer" | "boolean" as plain:
            return plain, ()
        case _:
            return "json", ()


def _resolved(said: object, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is said about a member: of "this or null" this, and of a reference what it leads to."""
    found: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    either = found.get("anyOf")
    if isinstance(either, list):
        real = [each for each in either if isinstance(each, Mapping) and each.get("type") != "null"]
        found = {**found, **real[0]} if len(real) == 1 else {**found, "type": None}
    definitions, place = schema.get("$defs"), found.get("$ref")
    if isinstance(place, str) and isinstance(definitions, Mapping):
        there = definitions.get(place.removeprefix("#/$defs/"))
        if isinstance(there, Mapping) and "enum" in there:
            return {**there, **found}
    return found


def _json(member: Member, typed: str) -> str:
    """Return what was typed into a field as JSON."""
    text = typed if member.shape == "text" else typed.strip()
    match member.shape:
        case "text":
            return json.dumps(text, ensure_ascii=False)
        case "number" if _NUMBER.fullmatch(text):
            return text
        case "integer" if _WHOLE.fullmatch(text):
            return text
        case "boolean" if text in ("true", "false"):
            return text
        case "choice" if text in member.choices:
            return text
        case "json":
            return _checked(text, f"task_params.{member.name}")
        case _:
            allowed = ", ".join(member.choices) or {"boolean": "true or false"}.get(
                member.shape, f"a JSON {member.shape}"
            )
            raise InvalidInput(f"task_params.{member.name}", typed, allowed, code="format")


def _checked(text: str, field: str) -> str:
    check_args_text(f'{{"value": {text}}}', field)
    try:
        json.loads(text)  # one value, not the end of this one and the beginning of another
    except ValueError as error:
        raise InvalidInput(field, "…", "one JSON value", code="format") from error
    return text


def _limit(value: object) -> str:
    return _dumped(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
