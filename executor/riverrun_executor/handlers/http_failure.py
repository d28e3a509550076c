"""What a failed exchange with a service is called, how it is told, and what it says about the service."""

from __future__ import annotations

import aiohttp

from riverrun_executor.breaker import Fault

_UNREACHED = frozenset({"connect", "dns", "tls"})


def fault_of(error_type: str) -> Fault:
    """Return what a failed exchange says about the service."""
    if error_type in _UNREACHED:
        return Fault.UNREACHED
    return Fault.GATEWAY if error_type == "reset" else Fault.ERROR


def error_type(error: BaseException) -> str:
    """Return the one word that metrics and the job's errors use for a failed exchange."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorSSLError() | aiohttp.ClientConnectorCertificateError():
            return "tls"
        case aiohttp.ServerTimeoutError() | aiohttp.ConnectionTimeoutError() | aiohttp.ClientConnectorError():
            return "connect"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | aiohttp.ClientOSError() | OSError():
            return "reset"
        case _:
            return "protocol"


def told(error: BaseException) -> str:
    """Return an error in words, without the address that was called: its query may hold a secret."""
    words = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return f"{type(error).__name__}: {words}"
