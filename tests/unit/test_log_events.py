"""Every event that the product logs stands in docs/logs.md with its level and its fields, and nothing else does."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from riverrun_executor.statistics import EVENTS
from support.names import ROOT

COMPONENTS = ("core", "executor", "scheduler", "supervisor", "admin_api", "cli")
LEVELS = {"debug": "DEBUG", "info": "INFO", "warning": "WARNING", "error": "ERROR", "exception": "ERROR"}
LEVELS["critical"] = "CRITICAL"
ROW = re.compile(r"^\| `([a-z0-9_]+)` \| ([A-Z, ]+) \| .+ \| (.*) \|$", re.MULTILINE)
ENDINGS = "riverrun_executor/statistics.py"  # takes level and event from a table of its own


@dataclass(frozen=True, slots=True)
class Logged:
    """One call of a logger: what it says, and the fields that can be read off the call."""

    event: str | None
    place: str
    levels: frozenset[str]
    fields: frozenset[str]


def logged() -> Iterator[Logged]:
    for component in COMPONENTS:
        for file in sorted((ROOT / component).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _is_logger(node.func):
                    yield _read(node, file)


def _is_logger(called: ast.expr) -> bool:
    names = {"log", *LEVELS}
    if not isinstance(called, ast.Attribute) or called.attr not in names:
        return False
    owner = called.value
    return (owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")) in {"log", "logger", "logging"}


def _read(call: ast.Call, file: Path) -> Logged:
    assert isinstance(call.func, ast.Attribute)
    levelled = call.func.attr == "log"
    message = call.args[1 if levelled else 0]
    levels = [node.attr for node in ast.walk(call.args[0]) if isinstance(node, ast.Attribute) and node.attr.isupper()]
    extra = next((word.value for word in call.keywords if word.arg == "extra"), None)
    keys = extra.keys if isinstance(extra, ast.Dict) else []
    return Logged(
        event=str(message.value) if isinstance(message, ast.Constant) else None,
        place=f"{file.relative_to(ROOT)}:{call.lineno}",
        levels=frozenset(levels if levelled else [LEVELS[call.func.attr]]),
        fields=frozenset(str(key.value) for key in keys if isinstance(key, ast.Constant)),
    )


def table(page: str) -> dict[str, tuple[set[str], set[str]]]:
    """Return levels and fields by event."""
    rows = ROW.findall((ROOT / page).read_text(encoding="utf-8"))
    assert len(rows) == len({event for event, _, _ in rows})
    return {event: (set(levels.split(", ")), set(re.findall(r"`([^`]+)`", fields))) for event, levels, fields in rows}


def test_every_message_is_the_name_of_an_event() -> None:
    odd = [call.place for call in logged() if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", call.event or "")]

    assert [place for place in odd if ENDINGS not in place] == []


def test_the_table_has_every_event_with_its_levels_and_no_other() -> None:
    levels: defaultdict[str, set[str]] = defaultdict(set)
    for call in logged():
        if call.event is not None:
            levels[call.event] |= call.levels
    for level, event in EVENTS.values():
        levels[event] |= {{10: "DEBUG", 20: "INFO", 30: "WARNING"}[level]}

    assert levels == {event: said for event, (said, _) in table("docs/logs.md").items()}


def test_the_table_has_the_fields_of_every_call() -> None:
    known = table("docs/logs.md")
    calls = [call for call in logged() if call.event is not None and call.fields]

    assert len(calls) > 20
    assert [call.place for call in calls if call.event and not call.fields <= known[call.event][1]] == []


def test_both_languages_have_the_same_table() -> None:
    assert table("docs/logs.md") == table("docs/logs.zh-CN.md")
