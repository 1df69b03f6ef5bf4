"""The JSON Schema of the report, made from `columns.TABLES`.

In: the column tables. Out: `report_schema()`, and `report.schema.json` beside this file, which is checked in and
shipped. Write it anew with `python -m classifier.schema` after a change of columns; a test notices when it is stale.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from classifier.columns import TABLES, Column
from classifier.findings.vantage import PLACES

SCHEMA_FILE = Path(__file__).with_name("report.schema.json")

_INTEGER = {"type": "integer"}
_COUNT = {"type": "integer", "minimum": 0}
_COUNT_OR_NONE = {"type": ["integer", "null"], "minimum": 0}
_TEXT = {"type": "string"}
_TIME_OR_NONE = {"type": ["integer", "null"]}

_ENUMS = {
    "grade": ["", "probable", "confirmed"],
    "severity": ["error", "warning", "info"],
    "status": ["fired", "skipped"],
    "by": ["ssrp", "rtsp", "content"],
}
_ON_REQUEST = ("flows", "ports", "timeline", "quality", "others")


def report_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of `Report.to_dict()`."""
    problem = _object({"code": _TEXT, "record": _INTEGER, "offset": _INTEGER, "message": _TEXT})
    interface = _object(
        {
            **dict.fromkeys(("name", "description", "link_type"), _TEXT),
            "snaplen": {"description": "bytes, 0 without a limit", **_COUNT},
            **dict.fromkeys(("filter", "os"), _TEXT),
            "resolution": {"description": "seconds per tick of its times", **_TEXT},
            "received": {"description": "packets, null when the file does not say", **_COUNT_OR_NONE},
            "dropped": {"description": "packets, null when the file does not say", **_COUNT_OR_NONE},
        }
    )
    comment = _object(
        {
            "about": {"enum": ["section", "interface", "packet"]},
            "number": {"description": "section from 1, interface from 0, record from 1", **_COUNT},
            "text": _TEXT,
        }
    )
    capture = _object(
        {
            "path": _TEXT,
            "format": {"enum": ["pcap", "pcapng"]},
            "compression": {"enum": [None, "gzip", "zstd", "lz4"]},
            "link_types": {"type": "array", "items": _TEXT},
            "packets": _COUNT,
            "wire_bytes": _COUNT,
            "captured_bytes": _COUNT,
            "first_ns": _TIME_OR_NONE,
            "last_ns": _TIME_OR_NONE,
            "complete": {"type": "boolean"},
            "dropped": _COUNT,
            **dict.fromkeys(("hardware", "os", "application"), _TEXT),
            "interface_count": _COUNT,
            "interfaces": {"description": "the first of them", "type": "array", "items": interface},
            "comments": {"description": "the first of them", "type": "array", "items": comment},
            "problem_count": _COUNT,
            "problems": {"type": "array", "items": problem},
        }
    )
    totals = _object(
        {
            **dict.fromkeys(("packets", "wire_bytes", "captured_bytes", "ip_bytes", "flows"), _COUNT),
            "first_ns": _TIME_OR_NONE,
            "last_ns": _TIME_OR_NONE,
            "duration_ns": _COUNT,
        }
    )
    share = {"type": "number", "minimum": 0}
    link = _object(
        {
            "bps": {"description": "speed, bit/s", **_COUNT},
            "width_ns": {"description": "of the bins that follow: a second, unless the pass's are wider", **_COUNT},
            "mean": {"description": "share of the link that frames took, with 24 bytes more for each", **share},
            "highest": {"description": "share, in the busiest bin", **share},
            "highest_ns": _INTEGER,
            "bins": {"description": "from the first packet to the last", **_COUNT},
            "bins_above": {"description": "above 60 %", **_COUNT},
            "first_above_ns": _TIME_OR_NONE,
        }
    )
    properties: dict[str, Any] = {
        "schema_version": {"const": 1},
        "generator": _object({"name": _TEXT, "version": _TEXT}),
        "captures": {"type": "array", "items": capture},
        "unreadable": {
            "description": "inputs that could not be read at all",
            "type": "array",
            "items": _object({"path": _TEXT, "message": _TEXT}),
        },
        "problems": {"description": "of reading as a whole", "type": "array", "items": problem},
        "totals": totals,
        "time": _object(
            {
                "bin_width_ns": {"description": "of the time bins kept while reading", **_COUNT},
                "timeline_bin_ns": {"description": "of the section timeline", **_COUNT},
                "link": {"description": "null unless a link's speed was given", **link, "type": ["object", "null"]},
            }
        ),
        "vantage": _vantage(),
        "limits": {
            "description": "tables (or lists in them) that show only part of what there is",
            "type": "array",
            "items": _object({"section": _TEXT, "listed": _COUNT, "total": _COUNT}),
        },
    }
    for section, columns in TABLES.items():
        row = _object({column.name: _column(column) for column in columns})
        properties[section] = {"type": "array", "items": row}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "classify: report",
        "description": "Times are nanoseconds since 1970-01-01 UTC, rates are bits per second.",
        **_object(properties, optional=_ON_REQUEST),
    }


def _vantage() -> dict[str, Any]:
    texts = {"type": "array", "items": _TEXT}
    return {
        **_object(
            {
                "place": {"enum": list(PLACES)},
                "hosts": {"description": "what it was taken on or right at", **texts},
                "sentence": {"description": "what the capture can and cannot show", **_TEXT},
                "reasons": texts,
                "both_directions": {"description": "null when nothing tells", "type": ["boolean", "null"]},
                "one_sided_share": {"description": "of the judged connections", "type": ["number", "null"]},
                "tcp_judged": {"description": "connections that prove two directions", **_COUNT},
                "others_unicast_packets": {"description": "between hosts that are not `hosts`", **_COUNT},
                "sees_other_reports": {"description": "IGMP or MLD reports of other hosts", "type": "boolean"},
                "dropped_packets": {"description": "null when no file says", **_COUNT_OR_NONE},
                "unseen_bytes": {"description": "TCP payload acknowledged and not captured", **_COUNT},
                "loss": {"description": "what shows that the capture lost packets", **texts},
                "snaplen": {"description": "null without a limit that matters", **_COUNT_OR_NONE},
                "cut_share": {"description": "of the bytes on the wire, not captured", "type": "number"},
            }
        ),
        "description": "where the capture was taken, as far as it shows",
    }


def _object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _column(column: Column) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        "int": _INTEGER,
        "float": {"type": "number"},
        "str": _TEXT,
        "time": _INTEGER,
        "category": _TEXT,
        "list": {"type": "array", "items": {"type": ["string", "integer"]}},
        "map": _grades(),
    }
    schema = dict(kinds[column.kind])
    if column.name in _ENUMS:
        schema = {"enum": _ENUMS[column.name]}
    elif column.kind == "int" and column.unit:
        schema["minimum"] = 0
    if column.name == "share":
        schema |= {"minimum": 0, "maximum": 1}
    if column.nullable:
        schema["type"] = [schema["type"], "null"]
    meaning = ", ".join(text for text in (column.meaning, column.unit) if text)
    return {"description": meaning, **schema} if meaning else schema


def _grades() -> dict[str, Any]:
    sums = _object({"flows": _COUNT, "packets": _COUNT, "wire_bytes": _COUNT})
    return _object({"confirmed": sums, "probable": sums})


def as_text() -> str:
    """The schema as it is checked in."""
    return json.dumps(report_schema(), indent=2, ensure_ascii=True) + "\n"
