"""Chinese help and messages, for those who ask for them with ``--lang zh`` or have a Chinese environment."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from riverrun.translation import Catalogue

CHINESE = "zh-CN"
CHOICES = ("en", "zh")
_OPTION = "--lang"
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_NEVER_FIRST = "，。；：、）》」！？"
_NEVER_LAST = "[（《「@"
_SOURCE = re.compile(r"(.+) \((\S+ line \d+|[A-Z][A-Z_0-9]*|--[\w-]+)\)")
"""A sentence about a setting, and where that was given: a line, a variable, an option."""

_spoken: ContextVar[str] = ContextVar("spoken", default="en")


def language_of(options: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the language that ``--lang`` among the root's options asks for, else the environment's."""
    for place, word in enumerate(options):
        if word.partition("=")[0] == _OPTION:
            asked = word.partition("=")[2] or "".join(options[place + 1 : place + 2])
            return CHINESE if asked == "zh" else "en"
    spoken = next((environ[name] for name in _VARIABLES if environ.get(name)), "")
    return CHINESE if spoken.startswith("zh") else "en"


def root_options(given: Sequence[str]) -> Sequence[str]:
    """Return the words before the command, with the value of ``--lang``."""
    for place, word in enumerate(given):
        if not word.startswith("-") and given[place - 1 : place] != [_OPTION]:
            return given[:place]
    return given


def speak(language: str) -> None:
    """Let help and messages be in ``language`` from now on."""
    _spoken.set(language)
    if language == CHINESE:
        click.Context.formatter_class = ChineseFormatter


def say(text: str) -> str:
    """Return ``text`` in the language that is spoken; what the catalogue has not stays English."""
    return _said(text) if _spoken.get() == CHINESE else text


def tell(sentence: str) -> str:
    """Return the sentence of an error in the language that is spoken; where a setting comes from stays behind it."""
    if _spoken.get() != CHINESE:
        return sentence
    from riverrun.translation import translated  # noqa: PLC0415 - as below

    found = _SOURCE.fullmatch(sentence)
    reason, source = (found[1], f"（{found[2]}）") if found else (sentence, "")
    said = translated(reason, CHINESE)
    return (said if said != reason else _said(reason)) + source


class ChineseFormatter(click.HelpFormatter):
    """Writes help in Chinese; what the catalogue has not stays English."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, _said("Usage: ") if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{_said(heading)}：\n")

    def write_text(self, text: str) -> None:
        paragraphs = text.split("\n\n")
        for place, paragraph in enumerate(paragraphs):
            if place:
                self.write("\n")
            if paragraph.lstrip().startswith("\b"):
                super().write_text(paragraph)
            else:
                self._write_lines(_said(" ".join(paragraph.split())), self.current_indent)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        rows = list(rows)
        column = self.current_indent + col_spacing + min(col_max, max(len(first) for first, _ in rows))
        for first, second in rows:
            self.write(f"{'':>{self.current_indent}}{first}")
            fits = self.current_indent + len(first) + col_spacing <= column
            self.write(" " * (column - self.current_indent - len(first)) if fits else "\n" + " " * column)
            self._write_lines(_option_said(second), column, begun=True)

    def _write_lines(self, text: str, indent: int, *, begun: bool = False) -> None:
        for place, line in enumerate(wrapped(text, max(self.width - indent, 20)) or [""]):
            self.write(f"{'' if begun and not place else ' ' * indent}{line}\n")


def wrapped(text: str, columns: int) -> list[str]:
    """Return ``text`` in lines of at most so many columns, of which a Chinese character takes two."""
    lines, line = list[str](), ""
    for piece in _pieces(text):
        if line and width(line + piece.rstrip()) > columns and piece[0] not in _NEVER_FIRST:
            lines.append(line.rstrip())
            line = ""
        line += piece.lstrip() if not line else piece
    return [*lines, line.rstrip()] if line.strip() else lines


def width(text: str) -> int:
    """Return how many columns ``text`` takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _pieces(text: str) -> list[str]:
    """Return what a line may be broken between: words with the space behind them, and single Chinese characters."""
    pieces: list[str] = []
    for character in text:
        last = pieces[-1][-1] if pieces else " "
        if last not in _NEVER_LAST and (width(character) == 2 or last == " " or width(last) == 2):
            pieces.append(character)
        else:
            pieces[-1] += character
    return pieces


def _option_said(text: str) -> str:
    said, begins, extra = text.rpartition("  [")
    if not begins:
        return _said(text)
    return f"{_said(said)} [{'；'.join(map(_said, extra.removesuffix(']').split('; ')))}]"


def _said(text: str) -> str:
    return _catalogue().say(text)


@cache
def _catalogue() -> Catalogue:
    from riverrun.translation import Catalogue, catalogue_texts  # noqa: PLC0415 - English help does not wait for it

    return Catalogue(catalogue_texts("riverrun_cli", CHINESE))
