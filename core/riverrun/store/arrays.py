"""Hand whole numbers to PostgreSQL as one array literal.

A list would be taken apart by the driver number by number, and its type would depend on how large the numbers happen to
be: one prepared statement for each mixture.
"""

from __future__ import annotations

from collections.abc import Iterable


def int_array(numbers: Iterable[int]) -> str:
    """Return ``numbers`` as PostgreSQL writes an array; the statement casts it to the type it wants."""
    return "{" + ",".join(map(str, numbers)) + "}"
