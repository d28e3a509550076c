"""Says a sentence in another language: those of errors, and whatever else has a catalogue.

    "{}: {} is not allowed; expected {+}"        a key is the English sentence with places for values;
    "{}：不允许 {}；应为{}"                       what stands at {+} is translated as well

Code that refuses something says why in English, in one sentence, wherever it stands; only a door knows in which
language its caller reads. So the sentence itself is the key, and one that no catalogue has stays English.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import orjson

CHINESE = "zh-CN"
LONGEST = 2_000
"""A longer sentence is not looked at: a sender chooses how long the values in it are."""

_PLACE = re.compile(r"{(\+?)}")
_FILLED = re.compile(r"{(\d*)}")


class Catalogue:
    """The sentences of one language.

    Args:
        texts: Their translations by English sentence; a place in one may have a number, to come in another order.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = {sentence: text for sentence, text in texts.items() if not _PLACE.search(sentence)}
        with_places = [sentence for sentence in texts if _PLACE.search(sentence)]
        # What says most by itself fits best.
        with_places.sort(key=lambda sentence: -len(_PLACE.sub("", sentence)))
        self._patterns = [(_pattern(each), _PLACE.findall(each), texts[each]) for each in with_places]

    def say(self, sentence: str) -> str:
        """Return ``sentence`` in this language, or as it is; the name of a field before it stays."""
        if len(sentence) > LONGEST:
            return sentence
        said = self._said(sentence)
        if said is not None:
            return said.strip()
        place, colon, rest = sentence.partition(": ")
        said = self._said(rest) if colon else None
        return sentence if said is None else f"{place}：{said.strip()}"

    def _said(self, sentence: str) -> str | None:
        if sentence in self._texts:
            return self._texts[sentence]
        for pattern, places, text in self._patterns:
            if (found := pattern.fullmatch(sentence)) is not None:
                values = [
                    (self._said(value) or value) if again else value
                    for again, value in zip(places, found.groups(), strict=True)
                ]
                return _filled(text, values)
        return None


def translated(sentence: str, language: str) -> str:
    """Return the sentence of an error in ``language``, as far as it is known there."""
    return errors_in(language).say(sentence) if language == CHINESE else sentence


@cache
def errors_in(language: str) -> Catalogue:
    """Return what errors say in ``language``."""
    return Catalogue(catalogue_texts("riverrun", language))


def catalogue_texts(package: str, language: str) -> Mapping[str, str]:
    """Return the texts that ``package`` brings along for a language."""
    texts: Mapping[str, str] = orjson.loads((files(package) / "locale" / f"{language}.json").read_bytes())
    return texts


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = _PLACE.split(sentence)[::2]
    return re.compile("(.+?)".join(map(re.escape, parts)), re.DOTALL)


def _filled(text: str, values: Sequence[str]) -> str:
    in_order = iter(values)
    return _FILLED.sub(lambda place: values[int(place[1])] if place[1] else next(in_order), text)
