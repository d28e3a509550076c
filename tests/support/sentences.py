"""The sentences that code can say about what it refuses, read off the calls that raise them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

RAISED = {
    "Problem": 2, "InvalidInput": 2, "FieldError": 2, "Conflict": 0, "DatabaseUnavailable": 0, "SchemaError": 0,
    "QueryTimeout": 0, "PydanticCustomError": 1, "ValueError": 0, "_not_json": 0, "_unauthorized": 0, "__init__": 0,
    "_matching": 1,
}  # fmt: skip
"""At which place each of them has its sentence, or the end of one."""


def templates(file: Path) -> Iterator[str]:
    """Yield each sentence in ``file``, with ``{}`` where a value stands in it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    named = _named(tree)
    for name, texts in named.items():
        if name.lower().endswith("allowed"):
            yield from texts
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        for said in _said(call):
            yield from named.get(said.id, ()) if isinstance(said, ast.Name) else _texts(said)


def said_by(function: str, file: Path, places: slice = slice(1)) -> Iterator[str]:
    """Yield each text in ``file`` that ``function`` is called with, with ``{}`` where a value stands in it.

    Args:
        function: Its name, called as it is.
        file: A module.
        places: Which of its arguments are looked at, those with names behind the others.
    """
    for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == function:
            for given in [*call.args, *(each.value for each in call.keywords)][places]:
                yield from _texts(given)


def _said(call: ast.Call) -> list[ast.expr]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name == "NotFound" and isinstance(call.args[0], ast.Constant):
        return [ast.Constant(f"{ast.literal_eval(call.args[0])} {{}} does not exist")]
    place = RAISED.get(name)
    by_place = [] if place is None else call.args[place : place + 1]
    return [*by_place, *(each.value for each in call.keywords if each.arg in ("allowed", "detail"))]


def _named(tree: ast.Module) -> dict[str, list[str]]:
    """Return the texts that names stand for, wherever in the file they are given them."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).extend(_texts(node.value))
    return found


def _texts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
        case ast.IfExp(body=body, orelse=otherwise):
            yield from _texts(body)
            yield from _texts(otherwise)
        case ast.Dict(values=values):
            for value in values:
                yield from _texts(value)
        case _:
            pass
