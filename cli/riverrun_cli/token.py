"""``queuectl token``: who may use the HTTP API, what for, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from riverrun_cli.database import Access, with_database
from riverrun_cli.inputs import duration_of, named
from riverrun_cli.noun import NounGroup
from riverrun_cli.options import output_option
from riverrun_cli.output import write_record, write_rows
from riverrun_cli.writing import actor, write

if TYPE_CHECKING:
    from riverrun.store.tokens import Token

_COLUMNS = ("id", "name", "role", "queues", "expires_at", "last_used_at", "revoked_at")
_WIDE = ("created_by", "created_at", "parent")


@click.group(cls=NounGroup)
def token() -> None:
    """Make, list and revoke tokens of the HTTP API."""


@token.command(name="list")
@click.option("--sessions", is_flag=True, help="The browsers that are logged in, instead of the tokens.")
@output_option
@with_database
def list_tokens(access: Access, /, *, sessions: bool, output: str) -> None:
    """List the tokens in the database; those of the configuration are not among them."""
    from riverrun.store import tokens  # noqa: PLC0415 - the help does not wait for the driver

    with access.client() as client:
        rows = [_row(each) for each in client.run(tokens.listed(sessions=sessions))]
    write_rows(rows, columns=_COLUMNS, output=output, wide=_WIDE)


@token.command
@click.argument("name")
@click.option(
    "--role",
    default="read",
    show_default=True,
    help="read, enqueue, operate (read, enqueue, and control jobs and queues), edit (and change jobs), or admin.",
)
@click.option("-q", "--queue", "queues", multiple=True, help="Only for queues that fit, such as 'mail*'; repeatable.")
@click.option("--expires-in", metavar="TIME", help="How long it may be used, such as 90d; without it until revoked.")
@output_option
@with_database
def create(
    access: Access, /, *, name: str, role: str, queues: tuple[str, ...], expires_in: str | None, output: str
) -> None:
    """Make a token called NAME and write its text, which nobody can see again."""
    from riverrun.access import new_token  # noqa: PLC0415
    from riverrun.store import tokens  # noqa: PLC0415

    with named(name="NAME", queues="--queue", lifetime="--expires-in"):
        new = new_token(name, role, queues=queues, lifetime=duration_of(expires_in, "lifetime"))
    with access.client() as client:
        steps = tokens.create(new, created_by=actor())
        after = {"name": new.name, "role": new.role, "queues": new.queues}
        made, text = write(client, steps, "token.create", f"token:{new.name}", after=after)
    write_record({**_row(made), "token": text}, output=output, identity="token")


@token.command
@click.argument("token_id", metavar="ID")
@output_option
@with_database
def revoke(access: Access, /, *, token_id: str, output: str) -> None:
    """End the token ID and the browser sessions made from it, within five seconds."""
    from riverrun.store import tokens  # noqa: PLC0415

    with access.client() as client:
        row = _row(write(client, tokens.revoke(token_id), "token.revoke", f"token:{token_id}"))
    write_record(row, output=output)


def _row(found: Token) -> dict[str, object]:
    return {
        "id": found.id,
        "name": found.name,
        "role": found.role,
        "queues": found.queues,
        "parent": found.parent,
        "created_by": found.created_by,
        "created_at": found.created_at,
        "expires_at": found.expires_at,
        "last_used_at": found.last_used_at,
        "revoked_at": found.revoked_at,
    }
