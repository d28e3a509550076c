"""Names who keeps VACUUM from removing dead rows, and how to end it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import sql

from riverrun.store.horizon import Pin
from riverrun_cli.doctor.finding import Finding, span, warning

_SHOWN = 5


def of_pins(pins: Sequence[Pin]) -> Iterator[Finding]:
    """Judge what holds VACUUM back, worst first."""
    for pin in [pin for pin in pins if pin.is_old][:_SHOWN]:
        yield warning(
            "horizon",
            f"{_named(pin)}: no dead row that is younger can be removed, and the queue gets slower with every job",
            mend=_mend(pin),
        )


def _named(pin: Pin) -> str:
    match pin.what:
        case "transaction":
            doing = (
                f", its statement begins {pin.statement.strip()!r}" if pin.statement and pin.statement.strip() else ""
            )
            return (
                f"process {pin.pid} of user {pin.owner} ({pin.application or 'no application name'},"
                f" {pin.state or 'state hidden from this role'}) {_age(pin)}{doing}"
            )
        case "prepared":
            return f"the prepared transaction {pin.name!r} of user {pin.owner} {_age(pin)}"
        case "standby":
            return f"a standby ({pin.application or 'no application name'}, process {pin.pid}) reports an old query"
        case "slot":
            return f"the {pin.state} replication slot {pin.name} stands {pin.transactions} transactions back"


def _age(pin: Pin) -> str:
    if pin.seconds is None:
        return f"has a transaction open since {pin.transactions} transactions"
    return f"has a transaction open for {span(pin.seconds)}"


def _mend(pin: Pin) -> str:
    match pin.what:
        case "transaction":
            return f"SELECT pg_terminate_backend({pin.pid});"
        case "prepared":
            return f"ROLLBACK PREPARED {_literal(pin.name)}; or COMMIT PREPARED {_literal(pin.name)};"
        case "slot" if pin.state == "inactive":
            return f"SELECT pg_drop_replication_slot({_literal(pin.name)}); if its standby will not come back"
        case _:
            return "end the long query on the standby, or there: ALTER SYSTEM SET hot_standby_feedback = off"


def _literal(text: str) -> str:
    return sql.Literal(text).as_string()
