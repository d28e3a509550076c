"""Brings the configuration together: file, then environment, then flags, field by field; then the defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args, get_origin

from pydantic import ValidationError

from riverrun.errors import ConfigError
from riverrun.settings.environment import read_environment
from riverrun.settings.files import configured_file
from riverrun.settings.keys import ROOT, find
from riverrun.settings.problems import sentence
from riverrun.settings.schema import ADDRESS_KEYS, Settings
from riverrun.settings.yaml_text import MAX_BYTES, read_leaves

KeyPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """A value somebody wrote, and where; a higher rank wins."""

    value: object
    source: str
    rank: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration and where it came from.

    Attributes:
        sources: The source of each setting that was given, by its path; what is not in it has its default.
        file: The configuration file that was read, absolute; ``None`` when there was none.
    """

    settings: Settings
    sources: Mapping[KeyPath, str]
    file: Path | None

    def source_of(self, path: KeyPath) -> str:
        """Return where the value at ``path`` came from: ``config.yaml line 3``, a variable, a flag, or ``default``."""
        return _source(self.sources, path) or "default"


def load(path: Path | None, *, environ: Mapping[str, str], flags: Mapping[str, object]) -> Loaded:
    """Return the configuration of this host.

    Args:
        path: The configuration file; ``None`` takes ``$RIVERRUN_CONFIG``, else ``./config.yaml`` if there is one.
        environ: Environment variables; ``RIVERRUN_…`` of any kind wins over ``DATABASE_URL``.
        flags: Values by dotted path, such as ``{"database_url": …}``; ``None`` means not given.

    Raises:
        ConfigError: Anything is wrong; ``problems`` has all of it, each with its key, what is allowed and its source.
    """
    problems: list[str] = []
    file = configured_file(path, environ)
    given: dict[KeyPath, Given] = {}
    for source in (_from_file(file, problems), _from_environment(environ, problems), _from_flags(flags)):
        given.update(source)
    problems.extend(_two_addresses(given))
    sources = {key: one.source for key, one in given.items()}
    try:
        settings = Settings.model_validate(_nested(given))
    except ValidationError as error:
        problems.extend(
            sentence(each, source=_source(sources, each["loc"]))
            for each in error.errors()
            if each["type"] != "default_factory_not_called"  # a key beside it is wrong; that one is told
        )
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return Loaded(settings, sources, file)


def _from_file(file: Path | None, problems: list[str]) -> Iterator[tuple[KeyPath, Given]]:
    if file is None:
        return
    try:
        with file.open("rb") as opened:
            leaves = read_leaves(opened.read(MAX_BYTES + 1), ROOT)
    except OSError as error:
        raise ConfigError([f"{file} cannot be read: {error.strerror}"]) from error
    except ConfigError as error:
        problems.extend(f"{file.name}: {problem}" for problem in error.problems)
        return
    for path, value, line in leaves:
        if not path:
            problems.append(f"{file.name}: no mapping stands at its top; expected keys such as river: and admin:")
            return
        yield path, Given(_anchored(value, path, file.parent), f"{file.name} line {line}", rank=1)


def _from_environment(environ: Mapping[str, str], problems: list[str]) -> Iterator[tuple[KeyPath, Given]]:
    if environ.get("DATABASE_URL"):
        yield ("database_url",), Given(environ["DATABASE_URL"], "DATABASE_URL", rank=2)
    for name, (path, value, _) in read_environment(environ, problems=problems):
        yield path, Given(_anchored(value, path, Path.cwd()), name, rank=3)


def _from_flags(flags: Mapping[str, object]) -> Iterator[tuple[KeyPath, Given]]:
    for dotted, value in flags.items():
        if value is not None:
            path = tuple(dotted.split("."))
            yield path, Given(_anchored(value, path, Path.cwd()), "command line", rank=4)


def _anchored(value: object, path: KeyPath, folder: Path) -> object:
    """Return a relative path, or each of a list of them, as one below ``folder``; other values as they are."""
    key = find(path)
    if key is None or Path not in (key.type, *get_args(key.type)):
        return value
    if get_origin(key.type) is list:
        return [_anchored_one(item, folder) for item in value] if isinstance(value, list) else value
    return _anchored_one(value, folder)


def _anchored_one(value: object, folder: Path) -> object:
    return str(folder / Path(value).expanduser()) if isinstance(value, str) else value


def _two_addresses(given: dict[KeyPath, Given]) -> Iterator[str]:
    """Let a ``database_url`` replace address keys of lower sources; refuse it beside one that is not lower."""
    url = given.get(("database_url",))
    parts = {name: given[key] for name in sorted(ADDRESS_KEYS) if (key := ("postgresql", name)) in given}
    if url is None or not parts:
        return
    beside = [f"postgresql.{name} ({part.source})" for name, part in parts.items() if part.rank >= url.rank]
    if beside:
        yield f"database_url ({url.source}) and {', '.join(beside)} are both given; expected one to name the database"
    for name in parts:
        del given["postgresql", name]


def _nested(given: Mapping[KeyPath, Given]) -> dict[str, object]:
    """Return the values as nested mappings; below a value that should have been a section, nothing is added."""
    top: dict[str, object] = {}
    for path, one in sorted(given.items(), key=lambda item: len(item[0])):
        place: object = top
        for name in path[:-1]:
            place = place.setdefault(name, {}) if isinstance(place, dict) else None
        if isinstance(place, dict) and not (one.value == {} and path[-1] in place):
            place[path[-1]] = dict(one.value) if isinstance(one.value, dict) else one.value
    return top


def _source(sources: Mapping[KeyPath, str], loc: tuple[int | str, ...]) -> str | None:
    """Return the source of the longest beginning of ``loc`` that was given, else of the first thing given below it."""
    path = tuple(map(str, loc))
    above = [sources[path[:end]] for end in range(len(path), 0, -1) if path[:end] in sources]
    below = [source for given, source in sources.items() if given[: len(path)] == path]
    return next(iter(above + below), None)
