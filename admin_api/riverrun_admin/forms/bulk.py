"""End an operation on many jobs where it is."""

from __future__ import annotations

from aiohttp import web

from riverrun.names import check_job_id
from riverrun_admin import bulk_actions
from riverrun_admin.forms.fields import leave, read_fields


async def abort(request: web.Request) -> web.StreamResponse:
    """End an operation; what it has changed stays changed."""
    fields = await read_fields(request)
    bulk = await bulk_actions.abort(request, check_job_id(fields.text("bulk_id"), "bulk_id"))
    leave(request, fields.back(f"queue/bulk/{bulk.id}"), "bulk_aborted")


ROUTES = (web.post("/admin/form/bulk/abort", abort),)
