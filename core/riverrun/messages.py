"""What the supervisor and a child say to each other, so that both sides know the same words.

    supervisor → child     drain · hurry · reload · wake · control · lease_renewed · host_metrics
    child → supervisor     ready · loaded · alive · running · metrics · metrics_request

A message that the other side does not know is ignored, so that processes of different releases understand each other
as far as they can. Nothing that decides the fate of a job is said here: a lease that was renewed, and of which the
executor does not hear, only makes it stop too soon.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import orjson

Sample = tuple[str, Mapping[str, str], float]
"""Name of the sample, its labels, its value; as Prometheus writes it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """Base of all messages."""

    name: ClassVar[str]
    droppable: ClassVar[bool] = False


@dataclasses.dataclass(frozen=True, slots=True)
class Drain(Message):
    """Stop taking work, finish what runs, exit."""

    name = "drain"


@dataclasses.dataclass(frozen=True, slots=True)
class Hurry(Message):
    """Do not wait for running work any longer."""

    name = "hurry"


@dataclasses.dataclass(frozen=True, slots=True)
class Reload(Message):
    """Read the configuration again."""

    name = "reload"


@dataclasses.dataclass(frozen=True, slots=True)
class Wake(Message):
    """Jobs of this queue may be available; ``*`` means any queue."""

    name = "wake"
    droppable = True
    queue: str


@dataclasses.dataclass(frozen=True, slots=True)
class Control(Message):
    """A notification as PostgreSQL delivered it: its channel's topic (``river_control``) and its JSON text."""

    name = "control"
    droppable = True
    topic: str
    payload: str


@dataclasses.dataclass(frozen=True, slots=True)
class LeaseRenewed(Message):
    """The executor may rely on its lease until this time of the monotonic clock, which the host's processes share."""

    name = "lease_renewed"
    until: float


@dataclasses.dataclass(frozen=True, slots=True)
class HostMetrics(Message):
    """The answer to a ``MetricsRequest``: every sample of this host."""

    name = "host_metrics"
    id: int
    samples: list[Sample]


@dataclasses.dataclass(frozen=True, slots=True)
class Ready(Message):
    """The child has started and works."""

    name = "ready"


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded(Message):
    """The files of the user's own that an executor has read its handlers from."""

    name = "loaded"
    files: list[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Alive(Message):
    """The child's event loop runs; ``progress`` counts what it has done since it started."""

    name = "alive"
    droppable = True
    progress: int


@dataclasses.dataclass(frozen=True, slots=True)
class Running(Message):
    """The jobs that an executor runs, said before each begins, because the one that hangs it can say nothing after.

    Attributes:
        jobs: Some of their ids.
        count: How many there are.
        deadline: When the first of them runs out of time, by the monotonic clock; None when none ever does.
    """

    name = "running"
    jobs: list[int]
    count: int
    deadline: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Metrics(Message):
    """What changed since the last one: growth of counters, and all gauges if one of them changed."""

    name = "metrics"
    counters: list[Sample]
    gauges: list[Sample] | None


@dataclasses.dataclass(frozen=True, slots=True)
class MetricsRequest(Message):
    """Ask for every sample of this host."""

    name = "metrics_request"
    id: int


MESSAGES: dict[str, type[Message]] = {
    kind.name: kind
    for kind in (
        Drain,
        Hurry,
        Reload,
        Wake,
        Control,
        LeaseRenewed,
        HostMetrics,
        Ready,
        Loaded,
        Alive,
        Running,
        Metrics,
        MetricsRequest,
    )
}


def encode(message: Message) -> bytes:
    """Return ``message`` as one line."""
    fields = {field.name: getattr(message, field.name) for field in dataclasses.fields(message)}
    return orjson.dumps({"type": message.name, **fields}) + b"\n"


def decode(line: bytes) -> Message | None:
    """Return the message in ``line``, or None if this release does not know it."""
    try:
        fields = orjson.loads(line)
        kind = MESSAGES[fields.pop("type")]
        return kind(**{field.name: fields[field.name] for field in dataclasses.fields(kind)})
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return None
