"""Who sends a request: what they may do, and what the audit log calls them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, ip_network

from aiohttp import web

from riverrun.access import Role, within
from riverrun.settings.admin import AdminSettings, SsoSettings

SESSION_COOKIE = "riverrun_session"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request.

    Attributes:
        name: Tells callers apart and gives no token away.
        actor: What the audit log calls them.
        queues: Patterns of the queues they may use; empty: every one.
        token: The token they came with, when it stands in the database; for a session, the one it was made from.
        session: The session, when a browser came with one.
        until: When the token ends, if it does.
    """

    name: str
    role: Role
    actor: str
    queues: tuple[str, ...] = ()
    token: str | None = None
    session: str | None = None
    until: datetime | None = None

    def may_use(self, queue: str) -> bool:
        """Whether they may see and touch jobs of ``queue``."""
        return within(queue, self.queues)


LOCAL = Caller("local", Role.ADMIN, "local")
NOBODY = Caller("nobody", Role.PUBLIC, "nobody")
_CALLER = web.RequestKey("_CALLER", Caller)
_REQUEST_ID = web.RequestKey("_REQUEST_ID", str)
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def remember(request: web.Request, caller: Caller) -> None:
    """Note who sent ``request``."""
    request[_CALLER] = caller


def caller_of(request: web.Request) -> Caller:
    """Return who sent ``request``."""
    return request[_CALLER]


def name_request(request: web.Request) -> str:
    """Give ``request`` an id, its own if it came with one that is fit for logs, and return it."""
    given = request.headers.get("X-Request-Id", "")
    request[_REQUEST_ID] = request_id = given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
    return request_id


def request_id_of(request: web.Request) -> str:
    """Return the id by which ``request`` is known to its sender, to logs and to the record of changes."""
    return request[_REQUEST_ID]


def is_known(request: web.Request) -> bool:
    """Whether the door knows who sent ``request``, let in or not."""
    return _CALLER in request


def address_of(request: web.Request, admin: AdminSettings) -> str:
    """Return where a request comes from: of a chain of our proxies the first address that is none of them."""
    address = request.remote or ""
    chain = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")[-20:]]
    while is_proxy(address, admin) and chain and (before := chain.pop()):
        address = before
    return address[:64]


def is_proxy(address: str, admin: AdminSettings) -> bool:
    """Whether what ``address`` says about others is believed."""
    if not admin.proxies:
        return False
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in ip_network(network) for network in admin.proxies)


def vouched_for(request: web.Request, admin: AdminSettings) -> Caller | None:
    """Return whom a proxy vouches for; None when it is none of ours or vouches for nobody."""
    sso = admin.sso
    if sso.user_header is None or not is_proxy(request.remote or "", admin):
        return None
    user = request.headers.get(sso.user_header, "").strip()
    if not user or len(user) > 100 or not user.isprintable():
        return None
    groups = request.headers.get(sso.groups_header, "") if sso.groups_header else ""
    role = _role_of([user, *(group.strip() for group in groups.split(",")[:200])], sso)
    return Caller(f"sso:{user}", role, f"sso:{user}")


def _role_of(names: Sequence[str], sso: SsoSettings) -> Role:
    """Return the highest role that one of the names has."""
    for role, members in ((Role.ADMIN, sso.admin), (Role.EDIT, sso.edit), (Role.OPERATE, sso.operate)):
        if "*" in members or any(name in members for name in names):
            return role
    return Role.READ if "*" in sso.read or any(name in sso.read for name in names) else Role.PUBLIC
