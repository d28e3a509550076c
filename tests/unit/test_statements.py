"""The files of ``sql/queries``: each is complete with its parts, and none is there for nothing."""

from __future__ import annotations

import re

import pytest

from riverrun.database.statements import Statements
from support.names import ROOT

QUERIES = ROOT / "sql" / "queries"
NAMES = sorted(path.stem for path in QUERIES.glob("*.sql"))


@pytest.mark.parametrize("schema", [None, "jobs"])
def test_every_statement_can_be_read_with_the_parts_it_names(schema: str | None) -> None:
    texts = [Statements(schema).text(name).decode() for name in NAMES]

    assert [text for text in texts if "\\ir" in text or not text.strip()] == []


def test_a_part_stands_where_it_is_named_with_the_schema_and_without_its_header() -> None:
    text = Statements("jobs").text("job_claim_one").decode()

    assert '\nUPDATE "jobs".river_job AS job\nSET state = ' in text
    assert "\nRETURNING\n    job.queue,\n    job.id,\n    job.kind,\n" in text
    assert "Part of a claim" not in text


def test_every_part_belongs_to_more_than_one_statement() -> None:
    texts = [path.read_text(encoding="utf-8") for path in QUERIES.rglob("*.sql")]

    for part in (QUERIES / "parts").glob("*.sql"):
        taken_in = re.compile(rf"\\ir (parts/)?{re.escape(part.name)}\n")
        assert sum(taken_in.search(text) is not None for text in texts) > 1, part.name


def test_every_statement_is_asked_for() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("*/riverrun*/**/*.py"))

    assert set(NAMES) - set(re.findall(r'"(\w+)"', code)) == set()
