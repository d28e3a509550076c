"""What lists, pages, claims and rescues cost at ten million jobs: measures, and writes docs/scale.md from the figures.

    PYTHONPATH=tests .venv/bin/python -m bench.scale --output docs

Seeds databases of its own, or measures those that are there:

    … -m bench.scale --database-url postgres://… --parts lists statements pages paint
    … -m bench.scale --database-url postgres://… --parts path
    … -m bench.scale --database-url postgres://… --parts crowd

Each part is kept in ``scale.json`` beside this file, so that they may be measured one after another.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from bench import crowd, pages, path, statements
from bench.scale_document import document
from bench.seeded import seed
from bench.server import server
from riverrun.settings.connection import url_from_conninfo
from riverrun_cli.bench.machine import CpuWatch, facts, server_facts, server_process

RESULTS = Path(__file__).with_name("scale.json")
JOBS, FEW_JOBS, MOST_WAITING = 10_000_000, 125_000, 10_000_000

Results = dict[str, Any]
Part = Callable[[str], Results]

LOOKED: dict[str, Part] = {
    "lists": statements.lists,
    "statements": statements.shown,
    "pages": pages.pages,
    "paint": pages.first_paint,
}
PATH, CROWD = "path", "crowd"
PARTS = [*LOOKED, PATH, CROWD]


def main() -> None:
    """Measure, keep what was found, and write it down where ``--output`` says."""
    given = _arguments()
    results: Results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if given.database_url:
        _measure(results, given.database_url, given.parts)
    elif given.parts:
        _measure_own(results, given)
    if given.output:
        (given.output / "scale.md").write_text(document(results), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.scale", description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=JOBS, help="jobs of the database that is seeded")
    parser.add_argument(
        "--database-url", help="a database that `queuectl bench seed` has filled; it is changed by path"
    )
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS, help="only these")
    parser.add_argument("--output", type=Path, help="folder that takes scale.md; by default none")
    return parser.parse_args()


def _measure_own(results: Results, given: argparse.Namespace) -> None:
    """Measure what people look at in one large database, and the path of jobs in that, a small and a larger one."""
    with server() as postgres:
        few, many = (url_from_conninfo(postgres.create(name)) for name in ("few", "many"))
        for url, jobs in ((few, FEW_JOBS), (many, given.jobs)):
            seed(url, jobs)
        _measure(results, many, [part for part in given.parts if part in LOOKED])
        if PATH in given.parts:
            for url in (few, many):
                _measure(results, url, [PATH])
            path.fill(many, MOST_WAITING)
            _measure(results, many, [PATH])
        if CROWD in given.parts:
            _measure(results, url_from_conninfo(postgres.create(CROWD)), [CROWD])


def _measure(results: Results, url: str, parts: list[str]) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        results |= {"machine": facts(), "postgresql": server_facts(conn), "on": datetime.now(UTC).date().isoformat()}
        for part in parts:
            sys.stderr.write(f"measuring {part}\n")
            watch = CpuWatch([os.getpid(), server_process(conn)])
            found = (path.path if part == PATH else crowd.crowd if part == CROWD else LOOKED[part])(url)
            shares = watch.shares()
            name = f"{part} {found['waiting']}" if part == PATH else part
            results.setdefault("others", {})[name] = None if shares is None else shares.others + shares.stolen
            if part == PATH:
                results.setdefault(PATH, {})[str(found["waiting"])] = found
            else:
                results[part] = found
            RESULTS.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
