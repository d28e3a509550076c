"""Hides parts of arguments, metadata and errors from those who look at jobs, by name and by pattern.

Arguments are shown digit by digit as they are stored, so they are never parsed and written anew: their text is walked
token by token, and only the value of a hidden name, or a string in which a pattern was found, is replaced.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from riverrun.errors import InvalidInput
from riverrun.job import Job
from riverrun.schedule import Schedule

HIDDEN = "***"
_HIDDEN_TEXT = f'"{HIDDEN}"'
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)


def check_shown(args_text: str, field: str, *, stored: str) -> None:
    """Refuse arguments that were taken from where a part of them is hidden: they would be stored without that part.

    Args:
        args_text: The arguments, as JSON text.
        field: What they are called, for errors.
        stored: The arguments of the job that they are for or were taken from; texts with the sign that these have
            themselves are no hidden ones.

    Raises:
        InvalidInput: A text has the sign for what is hidden, whole or in a part.
    """
    if _signs(args_text) - _signs(stored):
        allowed = f"arguments without {HIDDEN}, which stands for what is hidden and would take its place"
        raise InvalidInput(field, HIDDEN, allowed, code="format")


class Mask:
    """What is hidden.

    Args:
        names: Members whose value is hidden: those whose name, without regard to case, ``_`` and ``-``, contains one
            of these.
        patterns: Regular expressions; what they match within a text is hidden.
    """

    def __init__(self, names: Sequence[str], patterns: Sequence[str] = ()) -> None:
        self._names = tuple(_plain(name) for name in names)
        self._patterns = tuple(re.compile(pattern) for pattern in patterns)

    def job(self, job: Job) -> Job:
        """Return ``job`` as it may be shown."""
        errors = job.errors
        if self._patterns:
            errors = tuple(
                replace(error, error=self.words(error.error), trace=self.words(error.trace)) for error in errors
            )
        metadata = self.value(job.metadata)
        return replace(
            job,
            args_text=self.json_text(job.args_text),
            metadata=metadata if isinstance(metadata, Mapping) else {},
            errors=errors,
        )

    def schedule(self, schedule: Schedule) -> Schedule:
        """Return ``schedule`` as it may be shown."""
        args_text, metadata_text = self.json_text(schedule.args_text), self.json_text(schedule.metadata_text)
        return replace(schedule, args_text=args_text, metadata_text=metadata_text)

    def json_text(self, text: str) -> str:
        """Return JSON text with what is hidden replaced; all the rest of it, and invalid JSON, stays as it is."""
        if not self._patterns and not self._hides(text):
            return text
        return "".join(self._shown(text))

    def value(self, value: object) -> object:
        """Return a JSON value with what is hidden replaced."""
        match value:
            case Mapping():
                return {name: HIDDEN if self._hides(name) else self.value(member) for name, member in value.items()}
            case list():
                return [self.value(element) for element in value]
            case str():
                return self.words(value)
            case _:
                return value

    def fields(self, said: Mapping[str, object]) -> dict[str, object]:
        """Return the fields of a request with what is hidden replaced, also within a text that is a JSON object."""
        return {name: HIDDEN if self._hides(name) else self._field(value) for name, value in said.items()}

    def words(self, text: str) -> str:
        """Return text with what a pattern matches replaced."""
        for pattern in self._patterns:
            text = pattern.sub(HIDDEN, text)
        return text

    def _field(self, value: object) -> object:
        is_object = isinstance(value, str) and value.lstrip().startswith("{")
        return self.json_text(str(value)) if is_object else self.value(value)

    def _hides(self, name: str) -> bool:
        plain = _plain(name)
        return any(hidden in plain for hidden in self._names)

    def _shown(self, text: str) -> Iterator[str]:
        """Yield the pieces of ``text`` as they are shown."""
        tokens = list(_TOKENS.finditer(text))
        position, place = 0, 0
        while place < len(tokens):
            token = tokens[place]
            if not token[0].startswith('"'):
                place += 1
                continue
            is_name = place + 1 < len(tokens) and tokens[place + 1][0] == ":"
            if not is_name:
                yield text[position : token.start()]
                yield self._string(token[0])
                position, place = token.end(), place + 1
            elif self._hides(_decoded(token[0])) and place + 2 < len(tokens):
                last = _end_of_value(tokens, place + 2)
                yield text[position : tokens[place + 2].start()]
                yield _HIDDEN_TEXT
                position, place = tokens[last].end(), last + 1
            else:
                place += 2
        yield text[position:]

    def _string(self, token: str) -> str:
        if not self._patterns:
            return token
        words = _decoded(token)
        shown = self.words(words)
        return token if shown == words else json.dumps(shown, ensure_ascii=False)


NOTHING = Mask(())


def _signs(text: str) -> Counter[str]:
    """Return the strings in JSON text that have the sign for what is hidden."""
    strings = (_decoded(token[0]) for token in _TOKENS.finditer(text) if token[0].startswith('"'))
    return Counter(words for words in strings if HIDDEN in words)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _decoded(token: str) -> str:
    try:
        return str(json.loads(token))
    except ValueError:
        return token


def _end_of_value(tokens: list[re.Match[str]], first: int) -> int:
    """Return where the value ends that begins with the token ``first``."""
    depth = 0
    for place in range(first, len(tokens)):
        mark = tokens[place][0]
        depth += (mark in "[{") - (mark in "]}")
        if depth <= 0:
            return place
    return len(tokens) - 1
