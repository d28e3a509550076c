"""Claimed jobs and contexts without a database, for tests of what runs them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.database.statements import Statements
from riverrun.egress import Egress
from riverrun_executor.breakers import Breakers
from riverrun_executor.callbacks import Callbacks
from riverrun_executor.handlers.surroundings import Surroundings

STARTED_US = 1_767_323_045_000_000  # 2026-01-02 03:04:05 UTC


def claimed(
    args: Mapping[str, object] | str = "{}",
    *,
    kind: str = "email",
    queue: str = "default",
    metadata: Mapping[str, object] | str = "{}",
    errors: int = 0,
) -> ClaimedJob:
    """Return job 7 in its second attempt; ``args`` and ``metadata`` as text stay as they are."""
    texts = [given if isinstance(given, str) else json.dumps(given) for given in (args, metadata)]
    row = (7, kind, texts[0], 2, 25, 1, texts[1], ["tag-a"], errors, STARTED_US, STARTED_US - 2_000_000, STARTED_US - 5)
    return ClaimedJob(row, queue)


def context_of(job: ClaimedJob) -> Context:
    """Return the context of an attempt of ``job``."""
    return Context(job, server_id="test-host", incarnation="test-host_1_00000000", statements=Statements())


def surroundings(*egress: str, secrets: Sequence[str] = ("HANDLER_*",)) -> Surroundings:
    """Return what the HTTP handlers of an executor share."""
    return Surroundings(egress=Egress(egress), secrets=secrets, breakers=Breakers(lambda: None), callbacks=Callbacks())
