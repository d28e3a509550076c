"""Writes docs/configuration.md from the schema: ``python -m riverrun.settings.reference > docs/configuration.md``."""

from __future__ import annotations

from collections.abc import Iterator

from riverrun.settings.environment import RESERVED
from riverrun.settings.keys import ROOT, Key, allowed, default_text

_HEAD = """\
# Configuration

<!-- Written by `python -m riverrun.settings.reference`; change the schema, not this page. -->

A configuration file is optional. Without `--config`, `queuectl` takes the file that `RIVERRUN_CONFIG` names, else
`config.yaml` in the current folder, else none. `queuectl config init` writes a documented one to begin with,
`queuectl config check` says everything that is wrong, `queuectl config show` says what is in force and why.

## Which value wins

Defaults < file < `DATABASE_URL` < `RIVERRUN_…` < options of the command line, setting by setting; a list is replaced
whole. A setting without a value (`host:` in YAML, an empty variable) is not given.

- **Environment.** `RIVERRUN_` and the path of the setting in capitals, joined by two underscores. A name that you chose
  is part of the path: `RIVERRUN_RIVER__QUEUES__EMAIL__MAX_WORKERS` sets `river.queues.email.max_workers`. Lists take
  values with commas or line breaks between them, or YAML; mappings take YAML or JSON, which is also the way to name a
  queue or a schedule that is not made of lower-case letters, digits and single underscores.
- **Files.** With `_FILE` at its end, any of these variables names a file that holds the value, such as a mounted
  secret; line breaks at its end are cut off.
- **Paths** in the file that are not absolute begin at the folder of the file, others at the current folder.
- **Which database.** `database_url` and the keys of `postgresql` down to `ssl_root_cert` say the same thing. A URL from
  a source that wins over all of those replaces them; otherwise giving both is an error. With neither, the daemon starts
  a PostgreSQL of its own.
- **Queues.** Without `river.queues` there is one queue, `default`, with the defaults below.
- **YAML 1.2 words.** Only `true` and `false` are truth values and only decimal digits are numbers: `country: no` is
  text. A key that is written twice is an error.
- **Times** are written as `250ms`, `90s`, `1h30m` or `7d`; a bare number means seconds.

## Settings
"""

_FOOT = """
## Variables that are no settings

{reserved}: the path of the configuration file, what a supervisor
tells the processes that it starts, the version of PostgreSQL that the tests run on, and River's programs beside them.
"""


def reference() -> str:
    """Return the whole page."""
    rows = "\n".join(_rows())
    reserved = ", ".join(f"`{name}`" for name in sorted(RESERVED))
    head = "| key | environment | value | default | meaning |\n|---|---|---|---|---|"
    return f"{_HEAD}\n{head}\n{rows}\n{_FOOT.format(reserved=reserved)}"


def _rows() -> Iterator[str]:
    for key in ROOT.settings():
        meaning = key.field.description or "" if key.field else ""
        cells = (f"`{key.dotted}`", f"`{key.environment}`", allowed(key), _default(key), meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(key: Key) -> str:
    if key.field is not None and key.field.is_required():
        return "required"
    text = default_text(key)
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - its output is the page
