"""``queuectl config``: says what is wrong with a configuration, what is in force and why, and writes a first one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import yaml

from riverrun.errors import ConfigError
from riverrun.settings.effective import Entry, effective
from riverrun.settings.files import example_file
from riverrun_cli.language import say
from riverrun_cli.noun import NounGroup
from riverrun_cli.options import config_option, database_options, resolve_settings


@click.group(cls=NounGroup)
def config() -> None:
    """Check, show or begin a configuration."""


@config.command
@config_option
@database_options
def check(config: Path | None, database_url: str | None, schema: str | None) -> None:
    """Say whether the configuration can be used; otherwise everything that is wrong with it (exit code 2)."""
    loaded = resolve_settings(config, database_url=database_url, schema=schema)
    click.echo(say(f"valid: {loaded.file or say('no file, environment and defaults only')}"))


@config.command
@config_option
@database_options
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def show(config: Path | None, database_url: str | None, schema: str | None, output: str) -> None:
    """Show every setting in force and where it came from; secrets are hidden."""
    entries = list(effective(resolve_settings(config, database_url=database_url, schema=schema)))
    if output == "json":
        shown = {".".join(entry.path): {"value": entry.value, "source": entry.source} for entry in entries}
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    above: tuple[str, ...] = ()
    for entry in entries:
        for line in _lines(entry, above):
            click.echo(line)
        above = entry.path


@config.command
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default=Path("config.yaml"))
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def init(path: Path, force: bool) -> None:
    """Write a documented configuration to PATH, by default ./config.yaml; only you can read it."""
    text = example_file().read_text(encoding="utf-8")
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL), 0o600)
    except FileExistsError as error:
        raise ConfigError([f"{path} exists; expected a new path, or --force to overwrite it"]) from error
    except OSError as error:
        raise ConfigError([f"{path} cannot be written: {error.strerror}"]) from error
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        file.write(text)
    click.echo(say(f"wrote {path}"))


def _lines(entry: Entry, above: tuple[str, ...]) -> list[str]:
    """Return the YAML lines of ``entry``: the sections that ``above`` had not opened, then the setting itself."""
    *sections, name = entry.path
    lines = [
        f"{'  ' * depth}{_scalar(section)}:"
        for depth, section in enumerate(sections)
        if entry.path[: depth + 1] != above[: depth + 1]
    ]
    return [*lines, f"{'  ' * len(sections)}{_scalar(name)}: {_scalar(entry.value)}  # {entry.source}"]


def _scalar(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1_000_000)
    return text.removesuffix("\n").removesuffix("\n...")
