"""What a failed exchange with a service is called, how it is told, and what it says about the service."""

from __future__ import annotations

import aiohttp

from riverrun_executor.breaker import Fault


class NoAnswer(Exception):
    """An exchange came to nothing; the text tells what happened.

    Attributes:
        error_type: The one word for it in metrics and the job's errors.
        fault: What it says about the service.
    """

    def __init__(self, reason: str, error_type: str, fault: Fault = Fault.ERROR) -> None:
        super().__init__(reason)
        self.error_type = error_type
        self.fault = fault


def no_answer(error: aiohttp.ClientError | OSError, origin: object) -> NoAnswer:
    """Return what an error of the client means that was met on the way to ``origin`` or back."""
    error_type, fault = _meaning(error)
    return NoAnswer(f"{origin}: {_told(error)}", error_type, fault)


def _meaning(error: BaseException) -> tuple[str, Fault]:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "dns", Fault.UNREACHED
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorSSLError() | aiohttp.ClientConnectorCertificateError():
            return "tls", Fault.UNREACHED
        case aiohttp.ServerTimeoutError() | aiohttp.ConnectionTimeoutError() | aiohttp.ClientConnectorError():
            return "connect", Fault.UNREACHED
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | aiohttp.ClientOSError() | OSError():
            return "reset", Fault.GATEWAY
        case _:
            return "protocol", Fault.ERROR


def _told(error: BaseException) -> str:
    """Return an error in words, without the address that was called: its query may hold a secret."""
    words = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return f"{type(error).__name__}: {words}"
