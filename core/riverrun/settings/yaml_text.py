"""Reads YAML so that every value keeps the line it stood on, and every mistake becomes a sentence.

The words of YAML 1.2 apply: only ``true`` and ``false`` are truth values and only decimal digits are numbers, so that
``country: no`` stays a country and ``postcode: 01234`` keeps its zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from riverrun.errors import ConfigError
from riverrun.settings.keys import NAME, Key

MAX_BYTES = 1_048_576
MAX_NODES = 100_000

Leaf = tuple[tuple[str, ...], object, int]
"""Path, value and line number of one setting."""


class _Loader(yaml.SafeLoader):
    # A table of its own: what the parent resolves is YAML 1.1.
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML owns the type


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)


def read_leaves(data: bytes, key: Key, *, path: tuple[str, ...] = ()) -> list[Leaf]:
    """Return every setting in ``data``, a YAML document that stands at ``key``; an empty one holds none.

    Raises:
        ConfigError: It is no YAML, or YAML that could mean two things; the sentences begin with the line.
    """
    if len(data) > MAX_BYTES:
        raise ConfigError([f"it has {len(data)} bytes; expected at most {MAX_BYTES}"])
    try:
        loader = _Loader(data.decode("utf-8-sig"))
        node = loader.get_single_node()
        problems = list(_ambiguities(node, seen=[0])) if node else []
        if problems:
            raise ConfigError(problems)
        return list(_leaves(loader, node, key, path)) if node else []
    except UnicodeDecodeError as error:
        raise ConfigError([f"byte {error.start + 1} is not UTF-8; expected text in UTF-8"]) from error
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_sentence(error)]) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError([f"it is not YAML: {str(error).splitlines()[0]}"]) from error
    except RecursionError as error:
        raise ConfigError(["it is nested too deeply; expected fewer levels"]) from error


def _leaves(loader: _Loader, node: yaml.Node, key: Key, path: tuple[str, ...]) -> Iterator[Leaf]:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode) and key.section is not None:
        loader.flatten_mapping(node)
        if key.path[-1:] == (NAME,) or (key.named and not node.value):
            yield path, {}, line
        for name_node, inner in node.value:
            name = str(name_node.value)
            yield from _leaves(loader, inner, key.child(name) or Key((*key.path, name), None), (*path, name))
    elif node.tag != "tag:yaml.org,2002:null":
        yield path, loader.construct_object(node, deep=True), line
    elif key.path[-1:] == (NAME,):
        yield path, {}, line


def _ambiguities(node: yaml.Node, *, seen: list[int]) -> Iterator[str]:
    """Yield a sentence for each key written twice and each NUL; bound the work that aliases can multiply."""
    seen[0] += 1
    if seen[0] > MAX_NODES:
        raise ConfigError([f"its aliases make more than {MAX_NODES} values; expected fewer"])
    if isinstance(node, yaml.ScalarNode) and "\0" in node.value:
        yield f"line {node.start_mark.line + 1}: a NUL character; expected text without it"
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _ambiguities(item, seen=seen)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for name, value in node.value:
            line = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode):
                yield f"line {line}: a list or a mapping stands as a key; expected text"
            elif name.value in lines and name.tag != "tag:yaml.org,2002:merge":
                yield f"line {line}: {name.value} is written twice, first on line {lines[name.value]}; expected once"
            else:
                lines[name.value] = line
            yield from _ambiguities(value, seen=seen)


def _sentence(error: yaml.MarkedYAMLError) -> str:
    """Return a parser's error with the line and column; the text itself is left out, it may be a password."""
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = error.problem or "it is not YAML"
    if "'\\t'" in problem:
        problem = "a tab stands where only spaces may; expected spaces"
    elif "alias" in problem or "tag" in problem or "cannot start any token" in problem:
        problem = "text that begins with one of * & ! % @ ` stands without quotes; expected quotes around it"
    return f"{where}{problem}"
