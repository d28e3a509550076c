"""Reads settings from environment variables, and from the files that ``…_FILE`` variables name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_origin

from riverrun.errors import ConfigError
from riverrun.settings.keys import ENVIRONMENT_PREFIX, NAME, ROOT, Key
from riverrun.settings.yaml_text import MAX_BYTES, Leaf, read_leaves

RESERVED = frozenset(
    {
        "RIVERRUN_CONFIG",
        "RIVERRUN_PIPE_FD",
        "RIVERRUN_TEST_POSTGRES",
        "RIVERRUN_TEST_RIVER_GO",
        "RIVERRUN_TEST_RIVER_UI",
    }
)
"""Variables that are no settings: the configuration file, what a supervisor tells its children, the tests' server."""


def read_environment(environ: Mapping[str, str], *, problems: list[str]) -> Iterator[tuple[str, Leaf]]:
    """Yield the name of each ``RIVERRUN_`` variable with each setting it gives; an empty one gives none.

    What cannot be read is added to ``problems``. Names of queues and schedules are taken in lower case.
    """
    # Short names first: a variable that gives a whole section yields to one that gives a key of it.
    for name in sorted(environ, key=lambda name: (name.count("__"), name)):
        if not name.startswith(ENVIRONMENT_PREFIX) or name in RESERVED or not environ[name]:
            continue
        try:
            for leaf in _settings_of(name, environ):
                yield name, leaf
        except ConfigError as error:
            problems.extend(f"{name}: {problem}" for problem in error.problems)


def _settings_of(name: str, environ: Mapping[str, str]) -> list[Leaf]:
    setting = name.removesuffix("_FILE")
    path = tuple(setting.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
    key = _find(path)
    if key is None:
        raise ConfigError([_unknown(name)])
    if setting == name:
        return _parse(environ[name], key, path)
    if environ.get(setting):
        raise ConfigError([f"{setting} is given too; expected one of the two"])
    return _parse(_read(Path(environ[name])), key, path)


def _find(path: tuple[str, ...]) -> Key | None:
    key: Key | None = ROOT
    for part in path:
        key = key.child(part) if key and part else None
    return key


def _parse(text: str, key: Key, path: tuple[str, ...]) -> list[Leaf]:
    """Return ``text`` as ``key`` understands it: YAML or JSON for mappings, also commas or lines for lists."""
    if key.section is not None or get_origin(key.type) is dict:
        return read_leaves(text.encode("utf-8", "surrogateescape"), key, path=path)
    if get_origin(key.type) is not list:
        return [(path, text, 0)]
    if text.lstrip().startswith(("[", "- ")):
        return read_leaves(text.encode("utf-8", "surrogateescape"), key, path=path)
    return [(path, [item.strip() for item in re.split(r"[,\n]", text) if item.strip()], 0)]


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise ConfigError([f"{path} cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path} is not text in UTF-8"]) from error
    if len(data) > MAX_BYTES or "\0" in text:
        raise ConfigError([f"{path} has more than {MAX_BYTES} bytes or a NUL character; expected text"])
    return text.rstrip("\r\n")


def _unknown(name: str) -> str:
    known = [key.environment for key in ROOT.settings() if NAME not in key.path] + sorted(RESERVED)
    near = difflib.get_close_matches(name.removesuffix("_FILE"), known, n=1)
    return "no such setting" + (f"; did you mean {near[0]}?" if near else "; `queuectl config show` lists them all")
