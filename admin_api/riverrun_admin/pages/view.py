"""How a reader wants to see the pages: what the query chooses is kept in cookies, so that no script is needed."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from riverrun_admin.pages.texts import language_of

CHOICES: Mapping[str, tuple[str, ...]] = {
    "lang": ("en", "zh-CN"),
    "theme": ("auto", "light", "dark"),
    "zone": ("local", "utc"),
    "refresh": ("1", "2", "5", "10", "30", "60", "off"),
}
"""What may be chosen, by the name of the parameter."""

DEFAULTS: Mapping[str, str] = {"theme": "auto", "zone": "local", "refresh": "2"}
_YEAR_SECONDS = 365 * 86_400


def view_of(request: web.Request) -> dict[str, str]:
    """Return what counts for this reader: what the query says, else what was chosen before, else the defaults."""
    found = {name: _chosen(request, name) or default for name, default in DEFAULTS.items()}
    return {"lang": language_of(request), **found}


def keep(request: web.Request, response: web.Response) -> None:
    """Let the browser remember what the query chose."""
    for name, allowed in CHOICES.items():
        value = request.query.get(name)
        if value in allowed:
            response.set_cookie(
                f"riverrun_{name}",
                value,
                max_age=_YEAR_SECONDS,
                path="/",
                samesite="Lax",
                httponly=True,
                secure=request.secure,
            )


def _chosen(request: web.Request, name: str) -> str | None:
    for value in (request.query.get(name), request.cookies.get(f"riverrun_{name}")):
        if value in CHOICES[name]:
            return value
    return None
