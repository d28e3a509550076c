"""The description of the API is valid, whole, and made of what validates; it is a page for people too."""

from __future__ import annotations

from openapi_spec_validator import OpenAPIV31SpecValidator

from riverrun_admin import openapi
from riverrun_admin.openapi import is_for_browsers
from riverrun_admin.operations import ANSWERS, BODIES, MEDIA, QUERIES
from riverrun_admin.roles import ROLES
from support.admin import Admin

# Forms of browsers and routes whose body may also stand in the query.
WITHOUT_BODY = {("DELETE", "/admin/handler/delete"), ("DELETE", "/admin/schedule/delete")}


async def test_the_description_is_valid_and_has_every_route(admin: Admin) -> None:
    document = (await admin.get("/admin/openapi.json")).json

    OpenAPIV31SpecValidator(document).validate()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {route for route in ROLES if not is_for_browsers(route[1])}


def test_every_route_that_changes_something_says_what_it_takes() -> None:
    unsafe = {route for route in ROLES if route[0] != "GET" and not is_for_browsers(route[1])}

    assert unsafe - BODIES.keys() == WITHOUT_BODY
    assert BODIES.keys() <= ROLES.keys()
    assert QUERIES.keys() <= {path for _, path in ROLES}


def test_every_operation_says_what_it_answers() -> None:
    described = {route for route in ROLES if not is_for_browsers(route[1])}

    assert ANSWERS.keys() | MEDIA.keys() == described
    assert ANSWERS.keys() & MEDIA.keys() == set()


async def test_the_models_that_validate_are_the_ones_described(admin: Admin) -> None:
    schemas = (await admin.get("/admin/openapi.json")).json["components"]["schemas"]

    for model in BODIES.values():
        assert schemas[model.__name__]["properties"].keys() == model.model_fields.keys()
        assert schemas[model.__name__]["additionalProperties"] is False
    assert schemas["EnqueueBody"]["required"] == ["task_type"]


async def test_the_description_is_a_page_in_both_languages(admin: Admin) -> None:
    for language in ("en", "zh-CN"):
        page = await admin.page(f"/admin/reference?lang={language}")

        assert page.status == 200
        assert "POST /admin/queue/enqueue" in page.text
        assert 'href="#JobDocument"' in page.text
        assert 'id="JobDocument"' in page.text


def test_no_operation_has_the_name_of_another() -> None:
    names = [f"{method} {path}" for method, path in ROLES if not is_for_browsers(path)]

    assert len(set(names)) == len(names)
    assert openapi.is_for_browsers("/")


async def test_every_operation_says_which_header_fields_it_minds_and_that_it_can_be_lenient(admin: Admin) -> None:
    paths = (await admin.get("/admin/openapi.json")).json["paths"]
    minded = {
        (method.upper(), path): {each["name"]: each.get("required", False) for each in operation["parameters"]}
        for path, methods in paths.items()
        for method, operation in methods.items()
    }

    kept = {path for (_, path), names in minded.items() if "Idempotency-Key" in names}
    posts = {path for method, path in minded if method == "POST"}
    assert posts - kept == {
        "/admin/token/create", "/admin/handler/register", "/admin/handler/rotate_secret",
        "/admin/queue/callback/{job_id}",
    }  # fmt: skip
    assert minded["POST", "/admin/queue/callback/{job_id}"]["Job-Callback-Token"] is True
    assert {path for (_, path), names in minded.items() if "If-Match" in names} == {
        "/admin/handler/register", "/admin/handler/update", "/admin/handler/delete", "/admin/handler/rotate_secret",
        "/admin/handler/pause", "/admin/handler/resume", "/admin/schedule/update", "/admin/schedule/delete",
    }  # fmt: skip
    assert all("lenient" in minded[route] for route in BODIES)
