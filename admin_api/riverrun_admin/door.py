"""Who may come in, and what for.

A request passes five questions: is it for us (Host), is it from a page of ours if a browser sends it (Origin), who
sends it (token, session, or a proxy that vouches), may they (role), and may they there (queues). A web page elsewhere
can make a browser on this machine reach a loopback address; the first two questions are what keeps it out.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from urllib.parse import urlsplit

from aiohttp import web

from riverrun.access import Role, digest
from riverrun.errors import ConfigError
from riverrun.settings.admin import is_loopback
from riverrun.settings.schema import Settings
from riverrun.store.tokens import Token
from riverrun_admin.callers import LOCAL, NOBODY, SESSION_COOKIE, Caller, address_of, remember, vouched_for
from riverrun_admin.failures import Failures
from riverrun_admin.known_tokens import KnownTokens
from riverrun_admin.problems import Problem
from riverrun_admin.roles import minds_queues, needed_role

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_CHALLENGE = 'Bearer realm="riverrun"'
_LONGEST_TOKEN = 1024


class Door:
    """Answers the five questions for one configuration.

    Args:
        settings: Where the process listens, and whom it believes.
        known: The tokens in the database.

    Raises:
        ConfigError: Other machines could reach the address, and no token is needed.
    """

    def __init__(self, settings: Settings, known: KnownTokens) -> None:
        self._admin = admin = settings.admin
        self._known = known
        self._failures = Failures()
        self._tokens = [digest(token.get_secret_value()) for token in admin.tokens]
        self.is_open = not self._tokens and not admin.require_token
        if self.is_open and not is_loopback(admin.host):
            need = f"admin.tokens: at least one token is needed, because other machines can reach {admin.host}"
            raise ConfigError([f"{need}; or set admin.host to 127.0.0.1"])
        self._hosts = _LOOPBACK_NAMES | {_host_name(name) for name in (admin.host, *admin.allowed_hosts)}

    async def admit(self, request: web.Request) -> None:
        """Note who sent ``request``, and let them in if they may do what it asks for.

        Raises:
            Problem: They may not: 401 without a valid token, 429 after too many wrong ones, 403 for everything else.
        """
        needed = needed_role(request)
        self._check_host(request)
        self._check_origin(request)
        caller = await self._identify(request, needed)
        remember(request, caller)
        if not caller.role.allows(needed):
            raise Problem(403, "forbidden", f"this needs the role {needed}")
        if caller.queues and not minds_queues(request):
            raise Problem(403, "forbidden", "this is about all queues, and the token is for some of them")

    async def identify(self, request: web.Request, text: str) -> Caller:
        """Return who has the token ``text``.

        Raises:
            Problem: 401, nobody has; 429, too many wrong ones came from the address.
        """
        given = digest(text)
        # Every token is compared, so that the time taken tells nothing about which one was nearly right.
        if sum(hmac.compare_digest(given, known) for known in self._tokens):
            name = given.hex()[:16]
            return Caller(name, Role.ADMIN, f"token:config-{name[:8]}", token=f"config-{name}")
        address = address_of(request, self._admin)
        token = self._known.remembered(text)
        if token is None:
            self._failures.check(address)
            token = await self._known.find(text) if len(text) <= _LONGEST_TOKEN else None
        if token is None or not self._is_backed(token):
            self._failures.add(address)
            raise _unauthorized("this token is not known, or is not valid any more")
        return _caller(token)

    def _is_backed(self, token: Token) -> bool:
        """Whether a session's token is still one: those of the configuration are not in the database."""
        if token.parent is None or not token.parent.startswith("config-"):
            return True
        return any(f"config-{known.hex()[:16]}" == token.parent for known in self._tokens)

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
        elif origin is not None:
            foreign = urlsplit(origin).netloc.lower() != request.host.lower()
        else:
            # No browser of these years leaves out both; programs have no cookie of ours.
            foreign = SESSION_COOKIE in request.cookies
        if foreign:
            raise Problem(403, "cross-site", "a page of another site sent this request")

    async def _identify(self, request: web.Request, needed: Role) -> Caller:
        if self.is_open:
            return LOCAL
        text = _token(request)
        if text is None and (caller := vouched_for(request, self._admin)) is not None:
            return caller
        if text is None:
            text = request.cookies.get(SESSION_COOKIE) if needed is not Role.PUBLIC else None
        if text is not None:
            return await self.identify(request, text)
        if needed is Role.PUBLIC:
            return NOBODY
        raise _unauthorized("a token is needed: Authorization: Bearer …")


def shows_token(request: web.Request) -> bool:
    """Whether ``request`` came with a token or a session, whatever it is worth."""
    return _token(request) is not None or SESSION_COOKIE in request.cookies


def _caller(token: Token) -> Caller:
    return Caller(
        name=token.id,
        role=token.role,
        actor=f"token:{token.name}",
        queues=token.queues,
        token=token.parent or token.id,
        session=token.id if token.parent else None,
        until=token.expires_at,
    )


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
    """Return the bearer token, or a password in its place."""
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
