"""Where a gRPC service is reached: its name is resolved here, so that no call ends at an address that is forbidden.

gRPC would resolve the name itself, whenever it likes, and connect to whatever comes of it. It is given addresses
instead, those of one answer that were allowed, and goes on calling the service by its name. They are asked for again
every ``RESOLVE_SECONDS``; when they have changed, calls that are on their way end on the old channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import urlsplit

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from riverrun import __version__
from riverrun.calls import Tls
from riverrun.egress import Egress
from riverrun_executor.handlers.host_files import UnusableSettings, stamp
from riverrun_executor.proto.riverrun.v1.handler_pb2 import RunEvent, RunRequest, RunResult

CONNECT_SECONDS = 5.0
RESOLVE_SECONDS = 30.0
SERVICE = "riverrun.v1.JobHandler"
MAX_ANSWER_BYTES = 4 * 1024 * 1024

_BALANCED = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})

OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.enable_retries", 0),  # the queue retries, and counts it
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config", _BALANCED),
    ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
    ("grpc.max_send_message_length", -1),
    ("grpc.min_reconnect_backoff_ms", int(CONNECT_SECONDS * 1000)),  # gRPC's word for the time that connecting may take
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 300_000),  # servers close connections that ping more often
    ("grpc.primary_user_agent", f"riverrun/{__version__}"),
)


class NotReachable(Exception):
    """No call can be made; ``error_type`` is the word for it in metrics."""

    def __init__(self, message: str, error_type: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class Service:
    """The calls of a service over one channel, which is closed when nobody uses it any more."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.run: grpc.aio.UnaryUnaryMultiCallable[RunRequest, RunResult] = channel.unary_unary(
            f"/{SERVICE}/Run",
            request_serializer=RunRequest.SerializeToString,
            response_deserializer=RunResult.FromString,
        )
        self.run_stream: grpc.aio.UnaryStreamMultiCallable[RunRequest, RunEvent] = channel.unary_stream(
            f"/{SERVICE}/RunStream",
            request_serializer=RunRequest.SerializeToString,
            response_deserializer=RunEvent.FromString,
        )
        self._check: grpc.aio.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse] = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )

    async def is_well(self) -> bool:
        """Return whether the service says that it serves jobs; one that cannot be asked is judged by its calls."""
        for name in (SERVICE, ""):
            try:
                answer = await self._check(HealthCheckRequest(service=name), timeout=CONNECT_SECONDS)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.NOT_FOUND:
                    continue
                return error.code() is grpc.StatusCode.UNIMPLEMENTED
            return bool(answer.status == HealthCheckResponse.SERVING)
        return True


class Endpoint:
    """One service and the way to it.

    Args:
        url: ``grpc://host:port`` or, with TLS, ``grpcs://host:port``.
        egress: Where calls may go.
        tls: Certificates; ``None``: what this system trusts.
    """

    def __init__(self, url: str, egress: Egress, tls: Tls | None) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 0
        self._authority = parts.netloc
        self._egress = egress
        self._is_secure = parts.scheme == "grpcs"
        self._tls = tls
        self._stamp: Sequence[object] = ()
        self._addresses: Sequence[str] = ()
        self._service: Service | None = None
        self._fresh_until = 0.0
        self._resolving = asyncio.Lock()

    async def service(self) -> Service:
        """Return the service as its name resolves now.

        Raises:
            NotReachable: The name does not resolve, or only to what is forbidden.
            UnusableSettings: The files of its credentials cannot be used on this host.
        """
        service = self._service
        if service is None or time.monotonic() >= self._fresh_until:
            async with self._resolving:
                service = self._service
                if service is None or time.monotonic() >= self._fresh_until:
                    service = await self._resolved(service)
        return service

    async def close(self) -> None:
        """End all calls and close the connections."""
        if self._service is not None:
            await self._service.channel.close()

    async def _resolved(self, known: Service | None) -> Service:
        """Return the service that is known, or another one if it has moved or its certificates were replaced."""
        try:
            addresses = await self._allowed_addresses()
        except NotReachable as error:
            if known is None or error.error_type != "dns":
                self._service = None
                raise
            addresses = self._addresses  # the name server is away; the service need not be
        present = await self._stamped()
        self._fresh_until = time.monotonic() + RESOLVE_SECONDS
        if known is None or (addresses, present) != (self._addresses, self._stamp):
            self._service = None
            known = Service(await self._opened(addresses))
            self._service, self._addresses, self._stamp = known, addresses, present
        return known

    async def _stamped(self) -> Sequence[object]:
        """Return what tells whether the certificates were replaced."""
        if not self._is_secure:
            return ()
        with _as_unusable():
            return await asyncio.to_thread(stamp, self._tls)

    async def _allowed_addresses(self) -> Sequence[str]:
        if not self._egress.admits_host(self._host):
            raise NotReachable(f"{self._host} is not allowed; expected {self._egress.allowed}", "connect")
        with contextlib.suppress(ValueError):
            return [str(ip_address(self._host))]
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except TimeoutError:
            raise NotReachable(f"{self._host} did not resolve within {CONNECT_SECONDS:g} s", "dns") from None
        except OSError as error:
            raise NotReachable(f"{self._host} does not resolve: {error}", "dns") from error
        addresses = sorted({str(entry[4][0]) for entry in found})
        allowed = [address for address in addresses if self._egress.admits_address(self._host, address)]
        if not allowed:
            raise NotReachable(
                f"{self._host} resolves only to addresses that are not allowed; expected {self._egress.allowed}",
                "connect",
            )
        return allowed

    async def _opened(self, addresses: Sequence[str]) -> grpc.aio.Channel:
        target = _target([ip_address(address) for address in addresses], self._port)
        options = [*OPTIONS, ("grpc.default_authority", self._authority)]
        if not self._is_secure:
            return grpc.aio.insecure_channel(target, options=options)
        with _as_unusable():
            credentials = await asyncio.to_thread(_credentials, self._tls)
        return grpc.aio.secure_channel(target, credentials, options=options)


def _target(addresses: Sequence[IPv4Address | IPv6Address], port: int) -> str:
    """Return addresses in gRPC's words, which mix no families; among IPv6 ones an IPv4 one is written as mapped."""
    if all(address.version == 4 for address in addresses):
        return "ipv4:" + ",".join(f"{address}:{port}" for address in addresses)
    sixes = (f"::ffff:{address}" if address.version == 4 else str(address) for address in addresses)
    return "ipv6:" + ",".join(f"[{address}]:{port}" for address in sixes)


def _credentials(files: Tls | None) -> grpc.ChannelCredentials:
    """Return what a TLS connection needs; without ``files`` this system's authorities, not those gRPC brings along."""
    authorities = ssl.get_default_verify_paths().cafile if files is None or files.ca_file is None else files.ca_file
    trusted = _contents(authorities)
    if files is None or files.cert_file is None:
        return grpc.ssl_channel_credentials(trusted)
    return grpc.ssl_channel_credentials(
        trusted, _contents(files.key_file or files.cert_file), _contents(files.cert_file)
    )


@contextlib.contextmanager
def _as_unusable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnusableSettings(f"tls: the files cannot be used on this host: {type(error).__name__}") from error


def _contents(file: str | None) -> bytes | None:
    return None if file is None else Path(file).read_bytes()
