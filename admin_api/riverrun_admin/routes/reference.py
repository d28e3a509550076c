"""Hand out the description of the API, for programs and as a page for people."""

from __future__ import annotations

from aiohttp import web

from riverrun_admin.documents import respond
from riverrun_admin.filters import refuse_unknown
from riverrun_admin.openapi import document
from riverrun_admin.operations import BODIES, Schema
from riverrun_admin.pages.render import page

_DOCUMENT = web.AppKey("_DOCUMENT", Schema)


async def remember_document(app: web.Application) -> None:
    """Describe the routes of ``app`` once; they do not change while it serves."""
    app[_DOCUMENT] = document(app.router.routes())


async def openapi(request: web.Request) -> web.Response:
    """Return the description of this API in OpenAPI 3.1."""
    refuse_unknown(request, frozenset({"lenient"}))
    return respond(request.app[_DOCUMENT])


async def reference(request: web.Request) -> web.Response:
    """Return the description of this API as a page."""
    described = request.app[_DOCUMENT]
    return page(
        request,
        "reference",
        paths=described["paths"],
        schemas=described["components"]["schemas"],
        bodies={model.__name__ for model in BODIES.values()},
        answers_of=_answers_of,
    )


def _answers_of(operation: Schema) -> list[tuple[str, list[str]]]:
    """Return the names of what an operation may answer with, by status."""
    found = []
    for status, response in operation["responses"].items():
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        names = [each["$ref"].rpartition("/")[2] for each in schema.get("anyOf", [schema]) if "$ref" in each]
        found += [(status, names)] if names else []
    return found


ROUTES = (
    web.get("/admin/openapi.json", openapi),
    web.get("/admin/reference", reference),
)
