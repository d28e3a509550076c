"""What the handlers that call services share within one executor."""

from __future__ import annotations

from collections.abc import Sequence

from riverrun.egress import Egress
from riverrun.webhook import Credentials
from riverrun_executor.breakers import Breakers
from riverrun_executor.callbacks import Callbacks


class Surroundings:
    """Where services may be and what is known of them.

    Args:
        egress: Where requests may go.
        secrets: Patterns of the variables and files that header fields may name.
        breakers: Which services are left alone.
        callbacks: Attempts whose service works on after its answer.

    Attributes:
        credentials: What requests are signed with, by kind; replaced whenever the registry is read.
    """

    def __init__(self, *, egress: Egress, secrets: Sequence[str], breakers: Breakers, callbacks: Callbacks) -> None:
        self.egress = egress
        self.secrets = tuple(secrets)
        self.breakers = breakers
        self.callbacks = callbacks
        self.credentials: dict[str, Credentials] = {}
