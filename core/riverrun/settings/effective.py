"""Lists every setting in force with its source, as `queuectl config show` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from riverrun.settings.keys import ROOT, Key, plain
from riverrun.settings.load import KeyPath, Loaded
from riverrun.settings.values import Section


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting: its path, its value as YAML holds it with secrets hidden, and where it came from."""

    path: KeyPath
    value: object
    source: str


def effective(loaded: Loaded) -> Iterator[Entry]:
    """Yield the settings in the order of the schema; an empty table of named sections is one entry."""
    yield from _entries(loaded, loaded.settings, ROOT, ())


def _entries(loaded: Loaded, value: object, key: Key, path: KeyPath) -> Iterator[Entry]:
    if key.section is None:
        yield Entry(path, plain(value, key=key), loaded.source_of(path))
    elif key.named:
        table = cast("dict[str, Section]", value)
        if not table:
            yield Entry(path, {}, loaded.source_of(path))
        for name, section in table.items():
            inner = key.child(name)
            if inner is not None:
                yield from _entries(loaded, section, inner, (*path, name))
    else:
        for child in key.children():
            yield from _entries(loaded, getattr(value, child.attribute), child, (*path, child.path[-1]))
