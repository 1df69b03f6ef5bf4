"""Tables as Parquet: one table of a report as a file, and what a dataset's files are made of.

In: columns of a table and their values. Out: bytes, the same for the same values (no time, no path, fixed compression).
Next: `classifier.output`, `classifier.batch`. Importing this module does not import pyarrow; writing does (the extra
`batch`).

Types are those that pandas, DuckDB and Spark all read: int64, double, string, boolean, lists of int64 or string. A time
is two columns: `first_ns`, exact, as an integer, and `first_utc` in whole microseconds as a time stamp: Spark reads no
time stamps in nanoseconds (SPARK-40819). A map becomes one column per entry. Text is escaped as in every other output
(`render.escape`), so a byte that is no text cannot make a file unreadable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from classifier.columns import TABLES, Column
from classifier.render.escape import printable
from classifier.tables.components import GRADE_MEASURES, GRADE_NAMES

if TYPE_CHECKING:
    from classifier.report import Report

COMPRESSION, LEVEL = "zstd", 3
ROW_GROUP = 131_072
"""Rows that a reader can take or leave as a whole."""
NUMBER_LISTS = frozenset({"flow_ids", "pids", "sender_ttls"})
"""Columns whose lists hold numbers; all others hold texts."""
_KINDS = {"int": "int64", "float": "double", "bool": "boolean", "str": "string", "category": "string"}


class Stored(NamedTuple):
    """A column as it is in a file. `part`: which entry of a map it is, or which side of a time."""

    name: str
    type: str
    nullable: bool
    column: Column
    part: tuple[str, ...] = ()


def stored(columns: Sequence[Column]) -> list[Stored]:
    """The columns of a Parquet file for a table."""
    out: list[Stored] = []
    for column in columns:
        if column.kind == "time":
            stem = column.name.removesuffix("_ns")
            out.append(Stored(column.name, "int64", column.nullable, column))
            out.append(Stored(f"{stem}_utc", "timestamp[us, UTC]", column.nullable, column, ("utc",)))
        elif column.kind == "map":
            out += [
                Stored(f"{grade}_{measure}", "int64", False, column, (grade, measure))
                for grade in GRADE_NAMES
                for measure in GRADE_MEASURES
            ]
        elif column.kind == "list":
            of = "int64" if column.name in NUMBER_LISTS else "string"
            out.append(Stored(column.name, f"list<{of}>", column.nullable, column))
        else:
            out.append(Stored(column.name, _KINDS[column.kind], column.nullable, column))
    return out


def arrow_schema(columns: Sequence[Column]) -> Any:
    """The table's `pyarrow.Schema`."""
    import pyarrow as pa

    types = {
        "int64": pa.int64(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "string": pa.string(),
        "timestamp[us, UTC]": pa.timestamp("us", tz="UTC"),
        "list<int64>": pa.list_(pa.int64()),
        "list<string>": pa.list_(pa.string()),
    }
    return pa.schema([pa.field(each.name, types[each.type], each.nullable) for each in stored(columns)])


def arrow_table(columns: Sequence[Column], values: Mapping[str, Any]) -> Any:
    """A `pyarrow.Table` of the columns' values (lists or arrays of one length, by column name)."""
    import pyarrow as pa

    schema = arrow_schema(columns)
    arrays = [
        _array(each, values[each.column.name], field.type) for each, field in zip(stored(columns), schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def write(table: Any, file: BinaryIO) -> None:
    """Write a `pyarrow.Table` into an open binary file."""
    import pyarrow.parquet as pq

    pq.write_table(
        table,
        file,
        row_group_size=ROW_GROUP,
        version="2.6",
        data_page_version="1.0",
        compression=COMPRESSION,
        compression_level=LEVEL,
        store_schema=False,
    )


def render(report: Report, section: str = "components") -> bytes:
    """One table of a report as a Parquet file; ValueError for an unknown section, ImportError without pyarrow."""
    import io

    out = io.BytesIO()
    write(arrow_table(TABLES[section], report.columns(section)), out)
    return out.getvalue()


def _array(each: Stored, values: Any, kind: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    if each.part and each.part != ("utc",):
        grade, measure = each.part
        return pa.array([row[grade][measure] for row in values], kind)
    if each.type in ("int64", "timestamp[us, UTC]"):
        if each.nullable:
            missing = np.fromiter((value is None for value in values), bool, len(values))
            numbers = np.fromiter((0 if value is None else value for value in values), "i8", len(values))
        else:
            missing, numbers = None, np.asarray(values, "i8")
        if each.part:
            numbers = numbers // 1000
        return pa.array(numbers, pa.int64(), mask=missing).cast(kind)
    if each.type == "double":
        if each.nullable:
            return pa.array(list(values), kind)
        return pa.array(np.asarray(values, "f8"), kind)
    if each.type == "boolean":
        return pa.array([bool(value) for value in values], kind)
    listed = values.tolist() if hasattr(values, "tolist") else list(values)
    if each.type == "string":
        return pa.array(_safe(listed), kind)
    if each.type == "list<string>":
        flat = _safe([text for row in listed for text in row])
        ends = np.cumsum([0, *(len(row) for row in listed)])
        return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(flat, pa.string()), type=kind)
    return pa.array(listed, kind)


def _safe(texts: list[Any]) -> list[Any]:
    """Texts as they may be shown; each different one is looked at once."""
    unsafe = {text: shown for text in set(texts) if text is not None and (shown := _shown(text)) is not text}
    return [unsafe.get(text, text) for text in texts] if unsafe else texts


def _shown(text: str) -> str:
    return text if text.isascii() and text.isprintable() else printable(text)
