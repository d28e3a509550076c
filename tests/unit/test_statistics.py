"""What an executor counts of ended attempts, until the database has it."""

from __future__ import annotations

import psycopg
import pytest

from riverrun.database.statements import Query
from riverrun.outcome import Completed
from riverrun_executor.ending import Ending
from riverrun_executor.statistics import Statistics
from support.attempts import claimed


def test_figures_whose_write_failed_are_written_with_those_that_follow() -> None:
    statistics = Statistics("test-host")
    for kind in ("email", "report"):
        statistics.count(Ending(claimed(kind=kind), Completed(None), None, 0.25), "completed")
    lost = statistics.take()
    assert lost is not None
    next(lost)
    with pytest.raises(psycopg.OperationalError):
        lost.throw(psycopg.OperationalError("the connection is lost"))
    statistics.count(Ending(claimed(kind="email"), Completed(None), None, 0.5), "completed")

    written = statistics.take()
    assert written is not None
    query = next(written)
    with pytest.raises(StopIteration):
        written.send([])

    assert isinstance(query, Query)
    assert (query.params["kinds"], query.params["completed"]) == (["email", "report"], [2, 1])
    assert query.params["run_seconds"] == [0.75, 0.25]
    assert statistics.take() is None
