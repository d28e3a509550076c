"""Short names that fingers know from other tools: ``ls`` for ``list``, ``rm`` for ``delete``."""

from __future__ import annotations

import click

_ALIASES = {"ls": "list", "rm": "delete"}


class NounGroup(click.Group):
    """The verbs of one noun, with their short names, which the help leaves out."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, _ALIASES.get(cmd_name, cmd_name))
