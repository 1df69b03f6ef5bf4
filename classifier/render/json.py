"""The report as one JSON document, ASCII only: control characters and anything beyond ASCII are escaped.

In: a Report. Out: bytes, the same for the same input. A table's rows stand on a line each, so that documents can be
compared and searched by line. Next: `classifier.cli`, other programs. The document is described by
`schema/report.schema.json`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classifier.report import Report

_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False)


def render(report: Report, sections: Sequence[str] = ()) -> bytes:
    """The document, ending in a newline; `sections` adds flows, timeline or quality."""
    out = io.BytesIO()  # row by row: a table of millions of flows is held once, not in every stage of joining
    before = "{\n"
    for key, value in report.to_dict(sections).items():
        out.write(f"{before}{_one_line(key)}: ".encode("ascii"))
        _write(value, out)
        before = ",\n"
    out.write(b"\n}\n")
    return out.getvalue()


def _write(value: Any, out: io.BytesIO) -> None:
    if not isinstance(value, list) or not value:
        out.write(_one_line(value).encode("ascii"))
        return
    before = "[\n "
    for row in value:
        out.write(f"{before}{_one_line(row)}".encode("ascii"))
        before = ",\n "
    out.write(b"\n]")


def _one_line(value: Any) -> str:
    return _ENCODER.encode(value)
