"""The admin process speaks https when it has a certificate, takes over a renewed one, and refuses one it cannot use."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from riverrun.errors import ConfigError
from riverrun.settings.admin import AdminSettings
from riverrun_admin.tls import Tls
from support.admin import running_admin


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return cert, key


async def test_with_a_certificate_https_is_spoken_and_cookies_stay_on_it(database: str, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "first")
    trusting = ssl.create_default_context(cafile=str(cert))
    async with running_admin(database, tls_cert=cert, tls_key=key, tokens=["a-token-of-sufficient-length"]) as admin:
        admin.url = admin.url.replace("http://", "https://")

        health = await admin.get("/healthz", ssl=trusting)
        entered = await admin.request(
            "POST", "/admin/login", data={"token": "a-token-of-sufficient-length"}, ssl=trusting
        )

    assert health.status == 200
    assert "Secure" in entered.headers["Set-Cookie"]


def test_a_renewed_certificate_is_taken_over_and_a_broken_one_is_not(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "first")
    admin = AdminSettings(tls_cert=cert, tls_key=key)
    tls = Tls(admin)
    other, other_key = certificate(tmp_path, "second")
    renewed = AdminSettings(tls_cert=other, tls_key=other_key)

    tls.reload(renewed)

    with pytest.raises(ConfigError, match="cannot be used"):
        tls.reload(AdminSettings(tls_cert=other, tls_key=key))


@pytest.mark.parametrize("missing", ["tls_cert", "tls_key"])
def test_a_certificate_without_its_key_is_refused(tmp_path: Path, missing: str) -> None:
    given = {"tls_cert": tmp_path / "a", "tls_key": tmp_path / "b"}
    del given[missing]

    with pytest.raises(ValueError, match=r"both admin\.tls_cert and admin\.tls_key"):
        AdminSettings.model_validate(given)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"admin\.tls_cert: .*nothing\.pem"):
        Tls(AdminSettings(tls_cert=tmp_path / "nothing.pem", tls_key=tmp_path / "nothing.key"))
