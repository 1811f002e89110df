"""Validation of a frame where a floor hands it on."""

from __future__ import annotations

from typing import TypeVar

import dataframely as dy
import polars as pl

from slmlens.errors import ContractError

SchemaT = TypeVar("SchemaT", bound=dy.Schema)


def checked(schema: type[SchemaT], frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame cast to the schema, its columns in declared order.

    :param schema: One of the table classes of this module.
    :param frame: The frame to hand on.
    :raises ContractError: If a column is missing or a rule is broken; it is our defect, not the user's.
    """
    try:
        return schema.validate(frame, cast=True).select(schema.column_names())
    except (dy.exc.ValidationError, dy.exc.SchemaError, pl.exceptions.PolarsError) as cause:
        raise ContractError(
            f"the table {schema.__name__} broke its own rules: {cause}",
            next_step="please report this with the line above; your input was not changed",
        ) from cause
