"""Every error as one JSON document (RFC 9457), from one table: what happened, and what the sender can do about it.

Handlers of requests raise the errors of ``riverrun.errors`` or a ``Problem``; nothing else writes an error response.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus

import orjson
from aiohttp import web

from riverrun.errors import (
    Conflict,
    DatabaseUnavailable,
    InvalidInput,
    JobFinalized,
    JobRunning,
    NotFound,
    RiverrunError,
    SchemaError,
    StaleRevision,
    UniqueConflict,
)
from riverrun.translation import translated
from riverrun_admin.database import QueryTimeout

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2
MOST_TOLD = 100
"""Fields that one answer names: who has more of them wrong learns nothing from the next."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; ``pointer`` is its JSON pointer in the body, or ``?name`` in the query."""

    pointer: str
    code: str
    detail: str


@dataclass
class Problem(Exception):
    """An error as the sender of a request is told it.

    Attributes:
        status: HTTP status.
        code: A stable word for programs.
        detail: What happened, in a sentence.
        errors: What is wrong with which field.
        headers: Further response headers.
    """

    status: int
    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)

    def said_in(self, language: str) -> Problem:
        """Return the problem with its sentences in ``language``, as far as they are known there."""
        errors = tuple(replace(error, detail=translated(error.detail, language)) for error in self.errors)
        return replace(self, detail=translated(self.detail, language), errors=errors)

    def document(self, request_id: str) -> dict[str, object]:
        """Return the problem as it is told."""
        document: dict[str, object] = {
            "type": f"/admin/problems/{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": request_id,
            "code": self.code,
        }
        if self.errors:
            document["errors"] = [
                {"pointer": error.pointer, "code": error.code, "detail": error.detail} for error in self.errors
            ]
        return document

    def response(self, request_id: str) -> web.Response:
        """Return the response that tells it."""
        return web.Response(
            body=orjson.dumps(self.document(request_id)),
            status=self.status,
            content_type="application/problem+json",
            headers=self.headers,
        )


def invalid(errors: Sequence[FieldError]) -> Problem:
    """Return the problem of a request with fields that are not allowed; it names the first of very many."""
    if len(errors) == 1:
        detail = errors[0].detail
    elif len(errors) <= MOST_TOLD:
        detail = f"{len(errors)} fields are not allowed; see errors"
    else:
        detail = f"{len(errors)} fields are not allowed; errors has the first {MOST_TOLD}"
    return Problem(422, "validation", detail, tuple(errors[:MOST_TOLD]))


_ERRORS: tuple[tuple[type[RiverrunError], int, str], ...] = (
    (NotFound, 404, "not-found"),
    (StaleRevision, 412, "version-mismatch"),
    (JobRunning, 409, "job-running"),
    (JobFinalized, 409, "job-finalized"),
    (UniqueConflict, 409, "unique-conflict"),
    (Conflict, 409, "conflict"),
    (QueryTimeout, 503, "query-timeout"),
    (DatabaseUnavailable, 503, "database-unavailable"),
    (SchemaError, 503, "schema"),
)
"""Status and code of each error, the special ones before those that they are kinds of."""


def problem_of(error: Exception) -> Problem:
    """Return what the sender is told about ``error``; one that nobody expected is logged and not shown."""
    match error:
        case Problem():
            return error
        case InvalidInput():
            return _refused(error)
        case web.HTTPException():
            return _from_http(error)
        case _:
            return _known(error) or _unexpected(error)


def _known(error: Exception) -> Problem | None:
    for kind, status, code in _ERRORS:
        if isinstance(error, kind):
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
            return Problem(status, code, str(error), headers=headers)
    return None


def _unexpected(error: Exception) -> Problem:
    log.error("request_failed", exc_info=error)
    return Problem(500, "internal", "an error that nobody expected; the log of the admin process has it")


def _refused(error: InvalidInput) -> Problem:
    if error.code == "cursor":
        return Problem(400, "invalid-cursor", str(error), (FieldError("?cursor", "cursor", str(error)),))
    pointer = error.field if error.field.startswith("?") else pointer_of(error.field.split("."))
    return invalid((FieldError(pointer, error.code, str(error)),))


def renamed(error: InvalidInput, field: str) -> InvalidInput:
    """Return ``error`` about a field that the API calls by another name."""
    reason = str(error).removeprefix(f"{error.field}: ")
    copy = InvalidInput(field, None, error.allowed, code=error.code)
    copy.args = (f"{field}: {reason}",)
    return copy


def pointer_of(path: list[str] | tuple[str | int, ...]) -> str:
    """Return a path of names and positions as a JSON pointer."""
    return "".join("/" + str(name).replace("~", "~0").replace("/", "~1") for name in path)


def _from_http(error: web.HTTPException) -> Problem:
    """Return the problem for what aiohttp itself refuses."""
    match error:
        case web.HTTPNotFound():
            return Problem(404, "not-found", "there is nothing at this path")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return Problem(
                405,
                "method-not-allowed",
                f"{error.method} is not allowed here; use {allowed}",
                headers={"Allow": allowed},
            )
        case _:
            return Problem(error.status, "http", error.reason)
