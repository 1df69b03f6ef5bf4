"""The report as one JSON document, ASCII only: control characters and anything beyond ASCII are escaped.

In: a Report. Out: bytes, the same for the same input. A table's rows stand on a line each, so that documents can be
compared and searched by line. Next: `classifier.cli`, other programs. The document is described by
`schema/report.schema.json`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classifier.report import Report


def render(report: Report, sections: Sequence[str] = ()) -> bytes:
    """The document, ending in a newline; `sections` adds flows, timeline or quality."""
    parts = [f"{_one_line(key)}: {_value(value)}" for key, value in report.to_dict(sections).items()]
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode("ascii")


def _value(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n " + ",\n ".join(map(_one_line, value)) + "\n]"
    return _one_line(value)


def _one_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
