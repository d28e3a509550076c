"""The form for the arguments of a job: which fields a schema makes, and what they send."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest

from riverrun import Context
from riverrun.args_schema import LARGEST, check_args_schema
from riverrun.errors import InvalidInput
from riverrun.signature import schema_of
from riverrun_admin.args_form import Member, args_text, members_of


class Tone(StrEnum):
    KIND = "kind"
    STERN = "stern"


@dataclass
class Reminder:
    """What a handler takes."""

    to: str
    invoice: int
    tone: Tone = Tone.KIND
    urgent: bool | None = None
    amounts: list[float] | None = None


async def remind(reminder: Reminder, ctx: Context) -> None:
    """Take arguments of a type."""


async def take_any(args: dict[str, Any], ctx: Context) -> None:
    """Take arguments of any kind."""


def _members(known: dict[str, Any] | None = None) -> dict[str, Member]:
    schema = schema_of(remind)
    assert schema is not None
    return {each.name: each for each in members_of(json.loads(schema), known)}


def test_the_signature_of_a_handler_says_what_its_form_has() -> None:
    found = _members()

    assert {name: (each.shape, each.required) for name, each in found.items()} == {
        "to": ("text", True),
        "invoice": ("integer", True),
        "tone": ("choice", False),
        "urgent": ("boolean", False),
        "amounts": ("json", False),
    }
    assert found["tone"].choices == ('"kind"', '"stern"')
    assert found["tone"].value == '"kind"'


def test_a_signature_without_a_type_makes_no_form() -> None:
    assert schema_of(take_any) is None
    assert members_of(None) == []


def test_the_form_of_a_model_has_its_values() -> None:
    found = _members({"to": "a b", "invoice": 123456789012345678901234567890, "amounts": [1.5]})

    assert found["to"].value == "a b"
    assert found["invoice"].value == "123456789012345678901234567890"
    assert found["amounts"].value == "[1.5]"


def test_what_was_typed_becomes_arguments_digit_by_digit() -> None:
    given = {
        "arg.to": ' "quoted" ',
        "arg.invoice": "123456789012345678901234567890",
        "arg.tone": '"stern"',
        "arg.urgent": "true",
        "arg.amounts": "[1.10, 2e5]",
    }

    text = args_text(list(_members().values()), given)

    assert text == (
        '{"to": " \\"quoted\\" ", "invoice": 123456789012345678901234567890, "tone": "stern", "urgent": true, '
        '"amounts": [1.10, 2e5]}'
    )


def test_what_is_empty_and_not_required_is_left_out() -> None:
    given = {"arg.to": "", "arg.invoice": "1", "arg.tone": "", "arg.unknown": "x"}

    assert args_text(list(_members().values()), given) == '{"to": "", "invoice": 1}'


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("invoice", "1.5"),
        ("invoice", "0x10"),
        ("invoice", ""),
        ("tone", "kind"),
        ("urgent", "yes"),
        ("amounts", "[1"),
        ("amounts", '1, "to": "somebody else"'),
        ("amounts", '1}, {"a": 1'),
    ],
)
def test_what_a_field_does_not_hold_is_refused_by_its_name(name: str, typed: str) -> None:
    given = {"arg.to": "x", "arg.invoice": "1", f"arg.{name}": typed}

    with pytest.raises(InvalidInput) as refusal:
        args_text(list(_members().values()), given)
    assert refusal.value.field == f"task_params.{name}"


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": True, "b": {"type": ["string", "null"]}, "c": {"$ref": "#/$defs/none"}}},
        {"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "b": {}, "c": {"enum": "x"}}},
        {"properties": {"a": {"type": "object"}, "b": {"anyOf": 7}, "c": {"anyOf": [7]}}},
    ],
)
def test_what_the_form_does_not_understand_is_written_as_json(schema: dict[str, Any]) -> None:
    assert [each.shape for each in members_of(schema)] == ["json"] * 3


@pytest.mark.parametrize(
    "schema",
    ["{}", [], {"type": "array"}, {"properties": []}, {"properties": {"a": 1}}, {"title": "x" * LARGEST}],
)
def test_what_is_no_schema_of_arguments_is_refused(schema: object) -> None:
    with pytest.raises(InvalidInput):
        check_args_schema(schema, "args_schema")


def test_no_schema_is_none() -> None:
    assert check_args_schema(None, "args_schema") is None
    assert check_args_schema({}, "args_schema") == {}
