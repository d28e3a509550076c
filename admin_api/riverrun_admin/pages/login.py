"""The form that a browser is shown when a token is needed."""

from __future__ import annotations

import re

from aiohttp import web

from riverrun_admin.callers import NOBODY, is_known, remember
from riverrun_admin.pages.render import page

HOME = "queue/dashboard"
# Relative to /admin/, so that it works under any prefix of a proxy and leads to no other site.
_WAY_BACK = re.compile(r"[a-z]{1,20}/[A-Za-z0-9_./%?=&+:~*,-]{0,1000}")


def login_page(request: web.Request, *, failed: bool = False) -> web.Response:
    """Return the form; it knows what the reader wanted to see."""
    if not is_known(request):
        remember(request, NOBODY)
    wanted = request.raw_path.partition("/admin/")[2]
    on_form = wanted.startswith("login") or request.method != "GET"
    response = page(
        request,
        "login",
        status=401 if failed or not on_form else 200,
        failed=failed,
        way_back=way_back(request.query.get("next", "") if on_form else wanted),
    )
    if response.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="riverrun"'
    return response


def way_back(wanted: str) -> str:
    """Return the page to go to after the login, below ``/admin/``; the overview for anything else."""
    return wanted if _WAY_BACK.fullmatch(wanted) and ".." not in wanted and "//" not in wanted else HOME
