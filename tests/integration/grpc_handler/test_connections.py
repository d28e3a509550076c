"""Where calls of a gRPC service go, what comes of peers that are none, and who proves what to whom."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from riverrun.outcome import Completed, Failed, Interrupted
from riverrun_executor.handlers import grpc_endpoint
from riverrun_executor.handlers.grpc import GrpcHandlers
from support.certificates import Authority, Certificate
from support.eventually import eventually
from support.grpc_calls import WITHIN, call
from support.grpc_server import FaultService, Script, fault_service
from support.ports import free_port


@asynccontextmanager
async def peer(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> AsyncIterator[int]:
    """Give the port of a peer that does ``talk`` with every connection."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the beginning of the conversation and break it off."""
    await reader.read(10)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def speak_http_1(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as a server of another protocol."""
    await reader.read(10)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("talk", [reset, speak_http_1])
async def test_a_peer_that_speaks_no_grpc_is_tried_again(services: GrpcHandlers, talk: Any) -> None:
    async with peer(talk) as port:
        outcome = await call(services, f"grpc://127.0.0.1:{port}")

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "unavailable"


async def test_a_port_that_nobody_listens_on_is_tried_again(services: GrpcHandlers) -> None:
    outcome = await call(services, f"grpc://127.0.0.1:{free_port()}")

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "unavailable"
    assert "Connection refused" in outcome.error


async def test_a_service_that_comes_back_is_reached_soon(services: GrpcHandlers) -> None:
    async with fault_service() as first:
        assert await call(services, first.url()) == Completed()
    assert isinstance(await call(services, first.url()), Failed)

    async with fault_service(port=first.port) as second:

        async def works() -> bool:
            return await call(services, second.url()) == Completed()

        await eventually(works, within=WITHIN, every=0.2)


async def test_a_name_that_does_not_resolve_is_tried_again(services: GrpcHandlers) -> None:
    outcome = await call(services, "grpc://no-such-host.invalid:50051")

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "dns"


class Names:
    """Stands for the name servers of the world.

    Attributes:
        addresses: What every name resolves to now.
    """

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        """Answer as the event loop does."""
        self.asked.append(host)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.addresses]


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Give a world in which every name means 127.0.0.1, and an answer holds for no time at all."""
    names = Names("127.0.0.1")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names.resolve)
    monkeypatch.setattr(grpc_endpoint, "RESOLVE_SECONDS", 0.0)
    return names


async def test_a_service_is_called_by_its_name_at_the_address_that_was_allowed(
    service: FaultService, services: GrpcHandlers, names: Names
) -> None:
    names.addresses = ("169.254.169.254", "127.0.0.1")

    assert await call(services, service.url(host="payments.internal")) == Completed()
    assert names.asked == ["payments.internal"]


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0"])
async def test_a_name_that_comes_to_mean_what_is_forbidden_is_called_no_more(
    service: FaultService, services: GrpcHandlers, names: Names, address: str
) -> None:
    assert await call(services, service.url(host="payments.internal")) == Completed()

    names.addresses = (address,)
    outcome = await call(services, service.url(host="payments.internal"))

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "connect"
    assert "payments.internal resolves only to addresses that are not allowed" in outcome.error
    assert len(service.received) == 1


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[::ffff:169.254.169.254]", "2852039166", "metadata.google.internal"]
)
async def test_what_is_forbidden_is_never_called(services: GrpcHandlers, names: Names, host: str) -> None:
    outcome = await call(services, f"grpc://{host}:50051")

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "connect"
    assert names.asked == []


async def test_a_service_that_moves_is_followed_and_calls_on_their_way_end_where_they_began(
    service: FaultService, services: GrpcHandlers, names: Names
) -> None:
    service.script = Script(delay=0.5)
    url = service.url(host="payments.internal")
    before = asyncio.create_task(call(services, url))
    await eventually(lambda: service.received, within=WITHIN)

    names.addresses = ("127.0.0.2",)
    moved = await call(services, url)

    assert isinstance(moved, Failed)
    assert "127.0.0.2" in moved.error
    assert await before == Completed()


async def test_a_service_outlives_its_name_server(service: FaultService, services: GrpcHandlers, names: Names) -> None:
    assert await call(services, service.url(host="payments.internal")) == Completed()

    names.addresses = ()

    assert await call(services, service.url(host="payments.internal")) == Completed()


async def test_addresses_of_both_families_are_tried(
    service: FaultService, services: GrpcHandlers, names: Names
) -> None:
    names.addresses = ("::1", "127.0.0.1")  # nobody listens on the first

    assert await call(services, service.url(host="localhost")) == Completed()


@asynccontextmanager
async def secure_service(certificate: Certificate, *, clients: bytes | None = None) -> AsyncIterator[FaultService]:
    """Give a service that shows ``certificate``, and asks for one of the authority ``clients``."""
    credentials = grpc.ssl_server_credentials(
        [(certificate.key, certificate.certificate)], clients, require_client_auth=clients is not None
    )
    async with fault_service(credentials) as service:
        yield service


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Give an authority that this system trusts."""
    authority = Authority()
    file = tmp_path / "authorities.pem"
    file.write_bytes(authority.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return authority


async def test_a_service_is_called_over_tls(services: GrpcHandlers, names: Names, trusted: Authority) -> None:
    async with secure_service(trusted.vouch("payments.internal")) as service:
        assert await call(services, service.url(host="payments.internal", scheme="grpcs")) == Completed()


@pytest.mark.parametrize("fault", ["expired", "another name", "another authority", "no tls"])
async def test_a_service_that_cannot_prove_who_it_is_gets_no_job(
    services: GrpcHandlers, names: Names, trusted: Authority, fault: str
) -> None:
    authority = Authority() if fault == "another authority" else trusted
    name = "payments.example.org" if fault == "another name" else "payments.internal"
    certificate = authority.vouch(name, expired=fault == "expired")

    async with fault_service() if fault == "no tls" else secure_service(certificate) as service:
        outcome = await call(services, service.url(host="payments.internal", scheme="grpcs"))

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "unavailable"
    assert service.received == []


async def test_a_service_may_ask_who_calls(
    services: GrpcHandlers, names: Names, trusted: Authority, tmp_path: Path
) -> None:
    ours = Authority()
    mine = ours.vouch("riverrun")
    files = {"ca_file": trusted.certificate, "cert_file": mine.certificate, "key_file": mine.key}
    for name, contents in files.items():
        (tmp_path / name).write_bytes(contents)
    tls = {name: str(tmp_path / name) for name in files}

    async with secure_service(trusted.vouch("payments.internal"), clients=ours.certificate) as service:
        url = service.url(host="payments.internal", scheme="grpcs")
        nobody = await call(services, url)
        assert await call(services, url, tls=tls) == Completed()

    assert isinstance(nobody, Failed)
    assert len(service.received) == 1


async def test_certificates_that_were_renewed_are_used_without_a_restart(
    services: GrpcHandlers, names: Names, trusted: Authority, tmp_path: Path
) -> None:
    ours = Authority()
    tls = {name: str(tmp_path / name) for name in ("ca_file", "cert_file", "key_file")}

    def write(mine: Certificate) -> None:
        contents = {"ca_file": trusted.certificate, "cert_file": mine.certificate, "key_file": mine.key}
        for name, content in contents.items():
            Path(tls[name]).write_bytes(content)

    async with secure_service(trusted.vouch("payments.internal"), clients=ours.certificate) as service:
        url = service.url(host="payments.internal", scheme="grpcs")
        write(ours.vouch("riverrun", expired=True))
        expired = await call(services, url, tls=tls)
        write(ours.vouch("riverrun"))
        renewed = await call(services, url, tls=tls)

    assert isinstance(expired, Failed)
    assert renewed == Completed()


async def test_metadata_of_the_registration_come_along_with_their_secrets(
    service: FaultService, services: GrpcHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDLER_TOKEN", "secret")
    headers = {"Authorization": {"env": "HANDLER_TOKEN", "prefix": "Bearer "}, "X-Tenant": "a"}

    assert await call(services, service.url(), headers=headers) == Completed()

    assert service.metadata[0]["authorization"] == "Bearer secret"
    assert service.metadata[0]["x-tenant"] == "a"


@pytest.mark.parametrize(
    "settings",
    [
        {"headers": {"Authorization": {"env": "HANDLER_MISSING"}}},
        {"headers": {"grpc-timeout": "1S"}},
        {"headers": {"x-data-bin": "a"}},
        {"tls": {"ca_file": "/no/such/file"}},
    ],
)
async def test_settings_that_this_host_cannot_use_give_the_job_back(
    service: FaultService, services: GrpcHandlers, settings: dict[str, Any]
) -> None:
    assert await call(services, service.url(scheme="grpcs"), **settings) == Interrupted()
    assert service.received == []
