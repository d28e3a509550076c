"""Tokens of an admin server under test, and every path that it serves."""

from __future__ import annotations

import re
from typing import Any

from support.admin import Admin

BOSS = "the-token-of-the-configuration"


def bearing(token: str) -> dict[str, str]:
    """Return the header that a sender with ``token`` has."""
    return {"Authorization": f"Bearer {token}"}


async def make_token(admin: Admin, role: str, **fields: Any) -> dict[str, Any]:
    """Make a token with the one of the configuration, and return what the answer says."""
    body = {"name": f"a {role}", "role": role, **fields}
    answer = await admin.post("/admin/token/create", body, headers=bearing(BOSS))
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def path_of(template: str, **filled: str) -> str:
    """Return a path of the route ``template``."""
    values = {"code": "validation", "name": "style.css", "action": "pause", **filled}
    return re.sub(r"{(\w+)}", lambda part: values.get(part[1], "1"), template)
