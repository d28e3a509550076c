"""How an HTTP service and the executor that calls it know each other: certificates, also when they are renewed."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from riverrun.outcome import Completed, Failed, Interrupted
from riverrun_executor.handlers import http_connection
from riverrun_executor.handlers.http import HttpHandlers
from support.certificates import Authority
from support.http_calls import attempt, connected, post
from support.http_server import fault_server


@pytest.fixture
def authority() -> Authority:
    return Authority()


def files(folder: Path, authority: Authority, name: str, *, expired: bool = False) -> dict[str, str]:
    """Write a certificate, its key and its authority; return their paths."""
    own = authority.vouch(name, expired=expired)
    contents = {"ca_file": authority.certificate, "cert_file": own.certificate, "key_file": own.key}
    for kind, content in contents.items():
        (folder / f"{name}.{kind}").write_bytes(content)
    return {kind: str(folder / f"{name}.{kind}") for kind in contents}


def server_context(said: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=said["ca_file"])
    context.load_cert_chain(said["cert_file"], said["key_file"])
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_both_sides_show_certificates_of_the_named_authority(
    tmp_path: Path, authority: Authority, services: HttpHandlers
) -> None:
    ours = files(tmp_path, authority, "executor")
    async with fault_server(tls=server_context(files(tmp_path, authority, "localhost"))) as service:
        url = service.url(host="localhost", scheme="https")
        assert await post(services, url, tls=ours) == Completed()
        for lacking in ({}, {"ca_file": ours["ca_file"]}):
            refused = await post(services, url, tls=lacking or None)
            assert isinstance(refused, Failed)
            assert refused.error_type in {"tls", "reset"}

    assert len(service.received) == 1


async def test_a_certificate_whose_time_is_over_is_not_trusted(
    tmp_path: Path, authority: Authority, services: HttpHandlers
) -> None:
    ours = files(tmp_path, authority, "executor")
    async with fault_server(tls=server_context(files(tmp_path, authority, "localhost", expired=True))) as service:
        outcome = await post(services, service.url(host="localhost", scheme="https"), tls=ours)

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "tls"
    assert "expired" in outcome.error
    assert service.received == []


async def test_certificates_that_were_renewed_are_used_without_a_restart(
    tmp_path: Path, authority: Authority, services: HttpHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "FILES_SECONDS", 0.0)
    ours = files(tmp_path, authority, "executor", expired=True)

    async with fault_server(tls=server_context(files(tmp_path, authority, "localhost"))) as service:
        url = service.url(host="localhost", scheme="https")
        handler = connected(services, url, tls=ours)
        expired = await attempt(handler)
        files(tmp_path, authority, "executor")
        renewed = [await attempt(handler) for _ in range(2)]

    assert isinstance(expired, Failed)
    assert renewed == [Completed()] * 2
    assert len({request.port for request in service.received}) == 1  # and connections are kept as before


async def test_certificates_that_were_taken_away_give_the_job_back(
    tmp_path: Path, authority: Authority, services: HttpHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "FILES_SECONDS", 0.0)
    ours = files(tmp_path, authority, "executor")

    async with fault_server(tls=server_context(files(tmp_path, authority, "localhost"))) as service:
        handler = connected(services, service.url(host="localhost", scheme="https"), tls=ours)
        worked = await attempt(handler)
        Path(ours["key_file"]).unlink()
        lacking = await attempt(handler)

    assert (worked, lacking) == (Completed(), Interrupted())
