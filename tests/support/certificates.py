"""Certificates for tests: an authority, and what it vouches for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, both as PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """Vouches for names."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("test authority")
        now = datetime.now(UTC)
        builder = _builder(self._name, self._name, self._key.public_key(), now - timedelta(days=3650), now)
        authority = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.certificate = authority.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def vouch(self, name: str, *, expired: bool = False) -> Certificate:
        """Return a certificate for ``name``, whose time may be over."""
        key = ec.generate_private_key(ec.SECP256R1())
        end = datetime.now(UTC) - timedelta(days=1) if expired else datetime.now(UTC)
        builder = _builder(_named(name), self._name, key.public_key(), end - timedelta(days=30), end)
        certificate = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return Certificate(
            certificate.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, now: datetime
) -> x509.CertificateBuilder:
    """Return a certificate that holds from ``begin`` to the end of the day of ``now``."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(now + timedelta(hours=12))
    )
