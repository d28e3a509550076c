"""Who may come in, and what for.

A request passes four questions: is it for us (Host), is it from a page of ours if a browser sends it (Origin), who
sends it (token), and may they (role). A web page elsewhere can make a browser on this machine reach a loopback
address; the first two questions are what keeps it out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from riverrun.errors import ConfigError
from riverrun.settings.schema import Settings
from riverrun_admin.problems import Problem
from riverrun_admin.roles import Role, needed_role

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_CHALLENGE = 'Bearer realm="riverrun", Basic realm="riverrun"'


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request; ``name`` tells callers apart and gives no token away."""

    name: str
    role: Role


LOCAL = Caller("local", Role.ADMIN)
NOBODY = Caller("nobody", Role.PUBLIC)
_CALLER = web.RequestKey("_CALLER", Caller)


class Door:
    """Answers the four questions for one configuration.

    Raises:
        ConfigError: Other machines could reach the address, and no token is configured.
    """

    def __init__(self, settings: Settings) -> None:
        admin = settings.admin
        self._tokens = [hashlib.sha256(token.get_secret_value().encode()).digest() for token in admin.tokens]
        if not self._tokens and not is_loopback(admin.host):
            need = f"admin.tokens: at least one token is needed, because other machines can reach {admin.host}"
            raise ConfigError([f"{need}; or set admin.host to 127.0.0.1"])
        self._hosts = _LOOPBACK_NAMES | {_host_name(name) for name in (admin.host, *admin.allowed_hosts)}

    def admit(self, request: web.Request) -> Caller:
        """Return who sent ``request``, if they may do what it asks for.

        Raises:
            Problem: They may not: 401 without a valid token, 403 for everything else.
        """
        needed = needed_role(request)
        self._check_host(request)
        self._check_origin(request)
        caller = self._identify(request, needed)
        if caller.role < needed:
            raise Problem(403, "forbidden", f"this needs the role {needed.name.lower()}")
        return caller

    def _check_host(self, request: web.Request) -> None:
        name = _host_name(request.host)
        if name not in self._hosts and name != _own_address(request):
            raise Problem(
                403,
                "host-not-allowed",
                f"this server is not called {name[:80]!r}; its names stand in admin.allowed_hosts",
            )

    def _check_origin(self, request: web.Request) -> None:
        if request.method in _SAFE_METHODS:
            return
        site = request.headers.get("Sec-Fetch-Site")
        origin = request.headers.get("Origin")
        if site is not None:
            foreign = site not in ("same-origin", "none")
        else:
            foreign = origin is not None and urlsplit(origin).netloc.lower() != request.host.lower()
        if foreign:
            raise Problem(403, "cross-site", "a page of another site sent this request")

    def _identify(self, request: web.Request, needed: Role) -> Caller:
        if not self._tokens:
            return LOCAL
        token = _token(request)
        if token is None:
            if needed is Role.PUBLIC:
                return NOBODY
            raise _unauthorized("a token is needed: Authorization: Bearer …")
        given = hashlib.sha256(token.encode()).digest()
        # Every token is compared, so that the time taken tells nothing about which one was nearly right.
        if not sum(hmac.compare_digest(given, known) for known in self._tokens):
            raise _unauthorized("this token is not known")
        return Caller(given.hex()[:16], Role.ADMIN)


def remember(request: web.Request, caller: Caller) -> None:
    """Note who sent ``request``."""
    request[_CALLER] = caller


def caller_of(request: web.Request) -> Caller:
    """Return who sent ``request``."""
    return request[_CALLER]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``; of names only localhost, since others may resolve anywhere."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _host_name(host: str) -> str:
    """Return the name in a Host header or a setting, without port and brackets, in lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _own_address(request: web.Request) -> str | None:
    """Return the address that the sender connected to: an address cannot be pointed elsewhere, as a name can."""
    socket_name = request.transport.get_extra_info("sockname") if request.transport else None
    return str(socket_name[0]) if isinstance(socket_name, tuple) else None


def _token(request: web.Request) -> str | None:
    """Return the bearer token, or the password that a browser asked its user for."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                return base64.b64decode(value, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return ""
        case _:
            return None


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": _CHALLENGE})
