"""What a run of the fault matrix has measured: one row a fault, as JSON, as a table, and as the table of the docs.

`python -m fault.report RESULTS` prints the table of a run; with `--docs FILE` it also replaces the table in FILE.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = "RIVERRUN_FAULT_RESULTS"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
HEADINGS = ("fault", "what was done", "jobs", "seen after p50 / max", "target", "lost", "stale", "doubled", "verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault as measured.

    Attributes:
        fault: Its number in the matrix.
        what: What was done, and how often.
        jobs: Jobs that took part.
        p50, worst: Seconds from the fault until it was seen and repaired; None where there is nothing to be seen.
        target: The most that ``worst`` shall be.
        counts: Violations by the letter of the promise.
        note: Why a cell is not as it should be, or a figure more.
        failed: The scenario did not come to its end: something was not repaired in the time that it gives.
    """

    fault: str
    what: str
    jobs: int
    p50: float | None
    worst: float | None
    target: float | None
    counts: dict[str, int]
    note: str = ""
    failed: bool = False

    @property
    def verdict(self) -> str:
        """Return whether all promises were kept, in one word or with the letters of the broken ones."""
        if self.failed:
            return "failed"
        broken = "".join(letter for letter, count in self.counts.items() if count)
        if broken:
            return f"broken: {broken}"
        late = self.target is not None and self.worst is not None and self.worst > self.target
        return "late" if late else "kept"

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table."""
        seen = "–" if self.p50 is None or self.worst is None else f"{self.p50:.2f} / {self.worst:.2f} s"
        target = "–" if self.target is None else f"{self.target:g} s"
        doubled = self.counts.get("O", 0) + self.counts.get("C", 0) + self.counts.get("K", 0)
        verdict = f"{self.verdict} ({self.note})" if self.note else self.verdict
        numbers = str(self.jobs), seen, target, str(self.counts.get("L", 0)), str(self.counts.get("Z", 0)), str(doubled)
        return (self.fault, self.what, *numbers, verdict)


def keep(row: Row) -> None:
    """Keep ``row`` for the table, when a folder for results is named."""
    if folder := os.environ.get(FOLDER):
        test = os.environ.get("PYTEST_CURRENT_TEST", row.what)
        path = Path(folder) / f"{row.fault}-{hashlib.sha256(test.encode()).hexdigest()[:12]}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(row)), encoding="utf-8")


def load(folder: Path) -> list[Row]:
    """Return the rows of a run in the order of the matrix."""
    rows = [Row(**json.loads(path.read_text(encoding="utf-8"))) for path in folder.glob("*-*.json")]
    return sorted(
        rows, key=lambda row: (row.fault[0], int("".join(filter(str.isdigit, row.fault)) or 0), row.fault, row.what)
    )


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a table in Markdown, which is also readable on a terminal."""
    cells = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def main(given: Sequence[str] | None = None) -> int:
    """Print the table of a run, write it as one JSON file, and into the docs when asked to."""
    parser = argparse.ArgumentParser(prog="fault.report")
    parser.add_argument("results", type=Path)
    parser.add_argument("--docs", type=Path)
    arguments = parser.parse_args(given)
    rows = load(arguments.results)
    whole = arguments.results / "matrix.json"
    whole.write_text(json.dumps([{**asdict(row), "verdict": row.verdict} for row in rows], indent=1), encoding="utf-8")
    print(table(rows))  # noqa: T201 - that is what it is for
    if arguments.docs is not None:
        text = arguments.docs.read_text(encoding="utf-8")
        head, _, rest = text.partition(BEGIN)
        _, _, tail = rest.partition(END)
        arguments.docs.write_text(f"{head}{BEGIN}\n{table(rows)}\n{END}{tail}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
