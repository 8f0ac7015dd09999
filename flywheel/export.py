"""A run as a file for other programs: CSV or Parquet, one column a variable, ``time`` first."""

from __future__ import annotations

import csv
import io
import json
from typing import IO

from flywheel.errors import UsageError
from flywheel.plain import plain
from flywheel.solve.run import Run


def csv_text(run: Run) -> str:
    """The saved times as CSV text; numbers as short as they can be read back exactly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time", *run.names])
    for time, row in zip(run.time.tolist(), run.values.tolist(), strict=True):
        writer.writerow([repr(time), *map(repr, row)])
    return text.getvalue()


def write_parquet(run: Run, stream: IO[bytes]) -> None:
    """The saved times as Parquet; units on the columns and the receipt in the file's metadata.

    Raises UsageError with the install line where pyarrow is missing.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError("Parquet needs pyarrow: pip install 'flywheel-sd[parquet]'") from None
    variables = run.model.variables
    fields = [pyarrow.field("time", pyarrow.float64())]
    columns = [pyarrow.array(run.time)]
    for name in run.names:
        unit = variables[name].unit if name in variables else None
        metadata = {b"unit": str(unit).encode()} if unit is not None else None
        fields.append(pyarrow.field(name, pyarrow.float64(), metadata=metadata))
        columns.append(pyarrow.array(run[name]))
    receipt = json.dumps(plain(run.receipt()), ensure_ascii=False).encode()
    schema = pyarrow.schema(fields, metadata={b"flywheel": receipt})
    parquet.write_table(pyarrow.Table.from_arrays(columns, schema=schema), stream)
