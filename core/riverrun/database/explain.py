"""Turn the driver's errors into ours at one place, with what to do about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import OperationalError
from psycopg import errors as pg
from psycopg_pool import PoolTimeout

from riverrun.database.connect import first_line
from riverrun.errors import DatabaseUnavailable, SchemaError

_MISSING = (
    pg.UndefinedTable,
    pg.UndefinedColumn,
    pg.UndefinedFunction,
    pg.UndefinedObject,
    pg.InvalidSchemaName,
    pg.InvalidColumnReference,  # no unique index for ON CONFLICT: an older version of River's tables
    pg.CheckViolation,  # River's own tables refuse a priority above 4
)


@contextmanager
def explained(database: str) -> Iterator[None]:
    """Raise our errors for those of the driver that happen within.

    Args:
        database: Names server and database in messages, without a password.

    Raises:
        SchemaError: A table, column or index that this release needs is not there, or its ids are used up.
        DatabaseUnavailable: The server could not be reached, or did not answer in time.
    """
    try:
        yield
    except _MISSING as error:
        raise SchemaError(
            f"{database} does not have the tables of this release ({first_line(error)}); run: queuectl migrate up"
        ) from error
    except pg.SequenceGeneratorLimitExceeded as error:
        raise SchemaError(f"{database} has no id left for another row: {first_line(error)}") from error
    except PoolTimeout as error:
        raise DatabaseUnavailable(f"no connection to {database} became free in time: {first_line(error)}") from error
    except OperationalError as error:
        raise DatabaseUnavailable(f"{database} failed or did not answer in time: {first_line(error)}") from error
