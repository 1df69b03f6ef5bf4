"""What computes each table of a report.

In: `facts.Facts` (a pass, its labels, the signatures). Out: `MAKERS`: per table a function that gives a dict from
column name to equally long values, names and order as in `columns.TABLES`. Next: `classifier.report` turns columns
into rows, `classifier.frames` into DataFrames. Only the table of flows runs Python once per flow.
"""

from __future__ import annotations

from collections.abc import Callable

from classifier.tables.components import components, protocols
from classifier.tables.facts import Columns, Facts
from classifier.tables.flows import candidates, flows
from classifier.tables.hosts import hosts
from classifier.tables.learned import learned
from classifier.tables.multicast import multicast
from classifier.tables.names import others
from classifier.tables.quality import quality
from classifier.tables.streams import streams
from classifier.tables.timeline import timeline
from classifier.tables.unclassified import unclassified

MAKERS: dict[str, Callable[[Facts], Columns]] = {
    "components": components,
    "flows": flows,
    "hosts": hosts,
    "streams": streams,
    "multicast": multicast,
    "timeline": timeline,
    "protocols": protocols,
    "quality": quality,
    "unclassified": unclassified,
    "candidates": candidates,
    "learned": learned,
    "others": others,
}
"""What computes each table; findings are made by the rules of `classifier.findings`."""
