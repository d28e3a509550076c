"""Lists every setting in force with its source, as `queuectl config show` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from riverrun.settings.keys import ROOT, Key, plain
from riverrun.settings.load import KeyPath, Loaded
from riverrun.settings.schema import Settings
from riverrun.settings.values import Section


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting: its path, its value as YAML holds it with secrets hidden, and where it came from."""

    path: KeyPath
    value: object
    source: str


def effective(loaded: Loaded) -> Iterator[Entry]:
    """Yield the settings in the order of the schema; an empty table of named sections is one entry."""
    for path, value in values(loaded.settings):
        yield Entry(path, value, loaded.source_of(path))


def values(settings: Settings) -> Iterator[tuple[KeyPath, object]]:
    """Yield the path and the value of every setting, as `effective` does, where their sources are not known."""
    yield from _values(settings, ROOT, ())


def _values(value: object, key: Key, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    if key.section is None:
        yield path, plain(value, key=key)
    elif key.named:
        table = cast("dict[str, Section]", value)
        if not table:
            yield path, {}
        for name, section in table.items():
            inner = key.child(name)
            if inner is not None:
                yield from _values(section, inner, (*path, name))
    else:
        for child in key.children():
            yield from _values(getattr(value, child.attribute), child, (*path, child.path[-1]))
