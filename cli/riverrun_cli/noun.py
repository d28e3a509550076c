"""Short names that fingers know from other tools: ``ls`` for ``list``, ``rm`` for ``delete``."""

from __future__ import annotations

import click

_WHOLE = 1_000
_ALIASES = {"ls": "list", "rm": "delete"}


class NounGroup(click.Group):
    """The verbs of one noun, with their short names, which the help leaves out."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, _ALIASES.get(cmd_name, cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line for each verb, whole: click would cut it, and nothing cut has a translation."""
        verbs = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.get_short_help_str(_WHOLE)) for name, verb in verbs if verb])
