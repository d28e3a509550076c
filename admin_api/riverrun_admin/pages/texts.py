"""Every sentence that a page shows, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files

import orjson
from aiohttp import web

LANGUAGES = ("en", "zh-CN")
COOKIE = "riverrun_lang"


def language_of(request: web.Request) -> str:
    """Return the language that was asked for: in the query, else chosen before, else the browser's, else English."""
    for asked in (request.query.get("lang"), request.cookies.get(COOKIE)):
        if asked in LANGUAGES:
            return asked
    for part in request.headers.get("Accept-Language", "").lower().split(","):
        name = part.partition(";")[0].strip()
        if name.startswith("zh"):
            return "zh-CN"
        if name.startswith("en"):
            return "en"
    return "en"


@cache
def catalog(language: str) -> Mapping[str, str]:
    """Return the texts of a language by key."""
    path = files("riverrun_admin") / "locale" / f"{language}.json"
    texts: Mapping[str, str] = orjson.loads(path.read_bytes())
    return texts


def translator(language: str) -> Callable[..., str]:
    """Return a function from a key, and what to put into its text, to the text; an unknown key raises KeyError."""
    texts = catalog(language)

    def text(key: str, **values: object) -> str:
        return texts[key].format(**values)

    return text
