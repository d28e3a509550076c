"""The schema as a list of keys, for everything that walks it: the loader, its error sentences, the reference page."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from riverrun.durations import format_duration
from riverrun.settings.schema import Settings
from riverrun.settings.values import Section

ENVIRONMENT_PREFIX = "RIVERRUN_"
NAME = "<name>"
"""Stands in a path for the name that the user gives a queue or a schedule."""


@dataclass(frozen=True, slots=True)
class Key:
    """One place in the configuration: a section, a table of named sections, or a single setting.

    Attributes:
        path: Names from the top, with `NAME` for a name that the user chooses.
        section: The model whose keys stand here; ``None`` for a setting.
        named: Whether the user's own names stand between this place and the keys of ``section``.
        field: What the schema says of it; ``None`` for the top and for one entry of a table.
        attribute: Its name in Python, where that is another one than in the file.
    """

    path: tuple[str, ...]
    section: type[Section] | None
    named: bool = False
    field: FieldInfo | None = None
    attribute: str = ""

    @property
    def dotted(self) -> str:
        return ".".join(self.path)

    @property
    def environment(self) -> str:
        return ENVIRONMENT_PREFIX + "__".join(self.path).upper()

    @property
    def type(self) -> object:
        """The Python type of a setting, without ``None`` and without validators."""
        return _bare(self.field.annotation) if self.field else dict

    @property
    def secret(self) -> bool:
        """Whether the value must never be shown: passwords, tokens, and the arguments of jobs."""
        return SecretStr in (self.type, *map(_bare, get_args(self.type))) or get_origin(self.type) is dict

    def child(self, name: str) -> Key | None:
        """Return what stands under ``name`` here, or ``None`` when the schema knows no such key."""
        if self.section is None:
            return None
        if self.named:
            return Key((*self.path, NAME), self.section)
        return next((key for key in self.children() if key.path[-1] == name), None)

    def children(self) -> Iterator[Key]:
        """Yield the keys directly under a section, in the order of the schema."""
        for name, field in self.section.model_fields.items() if self.section else ():
            kind = _bare(field.annotation)
            named = get_origin(kind) is dict and _is_section(_bare(get_args(kind)[1]))
            inner = _bare(get_args(kind)[1]) if named else kind
            section = typing.cast("type[Section]", inner) if _is_section(inner) else None
            yield Key((*self.path, field.alias or name), section, named, field, name)

    def settings(self) -> Iterator[Key]:
        """Yield every single setting at or under this place."""
        if self.section is None:
            yield self
        elif self.named:
            yield from Key((*self.path, NAME), self.section).settings()
        else:
            for key in self.children():
                yield from key.settings()


ROOT = Key((), Settings)


def find(path: Sequence[str]) -> Key | None:
    """Return the key at ``path``, whose names are those of a user; ``None`` when there is none."""
    key: Key | None = ROOT
    for name in path:
        key = key.child(name) if key else None
    return key


def allowed(key: Key) -> str:
    """Return, as the end of a sentence, which values ``key`` takes."""
    if key.section is not None:
        return "a mapping of names, each with its keys" if key.named else "a mapping of keys"
    if get_origin(key.type) is Literal:
        return "one of " + ", ".join(map(str, get_args(key.type)))
    text = _ALLOWED.get(get_origin(key.type) or key.type, "text")
    return f"{text}{_bounds(key)}"


_ALLOWED: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    timedelta: "a time such as 250ms, 90s, 1h30m or 7d",
    str: "text",
    SecretStr: "text",
    Path: "a path",
    list: "a list",
    dict: "a mapping",
}


def default_text(key: Key) -> str:
    """Return the default of ``key`` as one would write it in YAML; empty when there is none."""
    if key.field is None or key.field.is_required() or key.field.default_factory is not None:
        return ""
    return "" if key.field.default is PydanticUndefined else plain_text(key.field.default, key=key)


def plain(value: object, *, key: Key) -> object:
    """Return ``value`` as YAML and JSON can hold it; a secret becomes ``***``."""
    if isinstance(value, list | tuple):
        return [plain(item, key=key) for item in value]
    if value is None:
        return "-1" if takes_no_limit(key) else None
    if key.secret:
        return "***" if value else value
    if isinstance(value, timedelta):
        return format_duration(value)
    return str(value) if isinstance(value, Path) else value


def plain_text(value: object, *, key: Key) -> str:
    """Return ``value`` as one word for a table; empty for nothing."""
    shown = plain(value, key=key)
    if isinstance(shown, bool):
        return str(shown).lower()
    return "" if shown is None else str(shown)


def takes_no_limit(key: Key) -> bool:
    """Whether ``-1`` means "no limit" here: a duration that has a default and may yet be ``None``."""
    optional = key.field is not None and type(None) in get_args(_unannotated(key.field.annotation))
    return key.type is timedelta and optional and key.field is not None and key.field.default is not None


def _bounds(key: Key) -> str:
    metadata = key.field.metadata if key.field else []
    low = next((_number(item.ge) for item in metadata if isinstance(item, Ge)), "")
    high = next((_number(item.le) for item in metadata if isinstance(item, Le)), "")
    limits = f" from {low} to {high}" if low and high else f", at least {low}" if low else ""
    return limits + (", or -1 for no limit" if takes_no_limit(key) else "")


def _number(value: object) -> str:
    return format_duration(value) if isinstance(value, timedelta) else str(value)


def _unannotated(kind: object) -> object:
    return get_args(kind)[0] if get_origin(kind) is typing.Annotated else kind


def _bare(kind: object) -> object:
    """Return a type without ``Annotated`` and without ``None``."""
    kind = _unannotated(kind)
    if get_origin(kind) in {Union, types.UnionType}:
        return _bare(next(part for part in get_args(kind) if part is not type(None)))
    return kind


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)
