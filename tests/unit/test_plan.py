"""Which processes a host runs follows from its configuration and its command line alone."""

from __future__ import annotations

import pytest

from riverrun.errors import ConfigError
from riverrun.settings.schema import Settings
from riverrun_supervisor.plan import ChildPlan, children


def settings(**river: object) -> Settings:
    return Settings.model_validate({"server_id": "here", "river": river})


def names(plans: list[ChildPlan]) -> list[str]:
    return [plan.name for plan in plans]


def test_all_roles_start_scheduler_first_and_admin_last() -> None:
    plans = children(settings(queues={"mail": {}, "web": {}}))

    assert names(plans) == ["scheduler", "executor mail/0", "executor web/0", "admin"]


def test_processes_of_a_queue_share_its_slots_without_losing_one() -> None:
    plans = children(settings(queues={"mail": {"max_workers": 8, "processes": 3}}), roles=["executor"])

    assert [plan.slots for plan in plans] == [3, 3, 2]
    assert plans[0].arguments == ["--queue", "mail", "--slots", "3", "--share", "0/3"]


def test_a_queue_without_max_workers_has_the_slots_of_river_workers() -> None:
    plans = children(settings(workers=7), roles=["executor"])

    assert [plan.slots for plan in plans] == [7]


def test_insert_only_leaves_the_admin_process_alone() -> None:
    assert names(children(settings(insert_only=True))) == ["admin"]
    assert children(settings(insert_only=True), roles=["executor"]) == []


def test_a_disabled_river_runs_nothing() -> None:
    assert children(settings(enable=False)) == []


def test_named_queues_limit_the_executors_only() -> None:
    plans = children(settings(queues={"mail": {}, "web": {}}), queues=["web"])

    assert names(plans) == ["scheduler", "executor web/0", "admin"]


def test_a_queue_that_is_not_configured_is_refused_by_name() -> None:
    with pytest.raises(ConfigError) as caught:
        children(settings(queues={"mail": {}}), queues=["web", "mail"])

    assert caught.value.problems == ("--queue: 'web' is not configured; expected one of river.queues: mail",)


def test_a_change_concerns_only_the_processes_that_work_by_it() -> None:
    before = children(settings(queues={"mail": {}, "web": {}}))
    after = children(settings(queues={"mail": {"max_workers": 3}, "web": {}}))

    changed = [old.name for old, new in zip(before, after, strict=True) if old != new]

    assert "executor mail/0" in changed
    assert "executor web/0" not in changed


def test_the_admin_process_does_not_mind_handlers_and_schedules() -> None:
    before = children(settings(), roles=["admin"])
    after = Settings.model_validate({"server_id": "here", "handlers": {"modules": ["mine"]}})

    assert children(after, roles=["admin"]) == before
