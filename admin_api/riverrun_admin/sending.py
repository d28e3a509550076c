"""Send an answer of any length piece by piece, holding no more of it than the piece at hand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping

from aiohttp import web

from riverrun.errors import RiverrunError

log = logging.getLogger(__name__)

WRITE_SECONDS = 30.0
"""A reader that takes nothing for so long is given up."""


async def send_pieces(
    request: web.Request, pieces: AsyncIterator[bytes], headers: Mapping[str, str]
) -> web.StreamResponse:
    """Answer with ``pieces``; the first is made before the answer begins, so that a refusal can still be told.

    An answer that cannot be ended well is cut off, which its reader sees: its last chunk is missing.
    """
    first = await anext(pieces, b"")
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    try:
        await _write(response, first)
        async for piece in pieces:
            await _write(response, piece)
        await response.write_eof()
    except (RiverrunError, TimeoutError, ConnectionError) as error:
        log.warning("answer_cut_off", extra={"path": request.path, "error": str(error) or type(error).__name__})
        if request.transport is not None:
            request.transport.abort()
    return response


async def _write(response: web.StreamResponse, piece: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(piece)


def attached(media: str, name: str) -> Mapping[str, str]:
    """Return the headers of an answer that browsers keep as a file."""
    return {"Content-Type": media, "Content-Disposition": f'attachment; filename="{name}"'}
