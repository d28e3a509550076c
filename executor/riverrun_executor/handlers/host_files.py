"""What a handler's settings name on this host: secrets in variables and files, and certificates."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from riverrun.calls import FromEnvironment, FromFile, Header, Tls

MAX_SECRET_BYTES = 16 * 1024


class UnusableSettings(Exception):
    """What a handler's settings name is not there, or may not be used, on this host; never repeats a secret.

    Attributes:
        error_type: The word for it in metrics.
    """

    error_type = "settings"


def header_values(headers: Mapping[str, Header], *, allowed: Sequence[str]) -> dict[str, str]:
    """Return header fields with the secrets they name.

    Args:
        headers: As they were registered.
        allowed: Patterns of the variables and files that may be named.

    Raises:
        UnusableSettings: A secret is not there or may not be used.
    """
    return {name: value if isinstance(value, str) else _found(name, value, allowed) for name, value in headers.items()}


def _found(name: str, reference: FromEnvironment | FromFile, allowed: Sequence[str]) -> str:
    place = reference.env if isinstance(reference, FromEnvironment) else reference.file
    if not any(fnmatch.fnmatchcase(place, pattern) for pattern in allowed):
        raise UnusableSettings(f"headers.{name}: {place} is not in handlers.secrets of this host")
    if isinstance(reference, FromEnvironment):
        value = os.environ.get(place, "")
    else:
        try:
            with Path(place).open("rb") as file:
                value = file.read(MAX_SECRET_BYTES).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise UnusableSettings(f"headers.{name}: {place} cannot be read: {type(error).__name__}") from error
    value = value.strip()
    if not value or not value.isprintable():
        raise UnusableSettings(f"headers.{name}: {place} holds nothing that a header field can carry")
    return reference.prefix + value


def stamp(files: Tls | None) -> Sequence[tuple[int, int, int]]:
    """Return what tells whether certificates were replaced: another value then.

    Raises:
        OSError: One of the files cannot be looked at.
    """
    named = () if files is None else (files.ca_file, files.cert_file, files.key_file)
    found = [Path(file).stat() for file in named if file is not None]
    return [(each.st_mtime_ns, each.st_ino, each.st_size) for each in found]
