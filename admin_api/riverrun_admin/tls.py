"""Speaks https when a certificate is configured; a reload takes over a renewed one without a pause."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from riverrun.errors import ConfigError
from riverrun.settings.admin import AdminSettings

log = logging.getLogger(__name__)


class Tls:
    """The certificate of this process, if it has one.

    Raises:
        ConfigError: The files cannot be read, or do not belong together.
    """

    def __init__(self, admin: AdminSettings) -> None:
        self.context: ssl.SSLContext | None = None
        if admin.tls_cert is not None and admin.tls_key is not None:
            self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.context.minimum_version = ssl.TLSVersion.TLSv1_2
            _load(self.context, admin.tls_cert, admin.tls_key)

    @property
    def scheme(self) -> str:
        """What an address of this process begins with."""
        return "http" if self.context is None else "https"

    def reload(self, admin: AdminSettings) -> None:
        """Take over the certificate that the files have now, for new connections.

        Raises:
            ConfigError: It cannot be used; the old one stays.
        """
        if self.context is not None and admin.tls_cert is not None and admin.tls_key is not None:
            # A context that was half changed would serve nobody: a second one tries the files first.
            _load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), admin.tls_cert, admin.tls_key)
            _load(self.context, admin.tls_cert, admin.tls_key)


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or error.args[0] if error.args else type(error).__name__
        raise ConfigError([f"admin.tls_cert: {certificate} and {key} cannot be used: {reason}"]) from error
