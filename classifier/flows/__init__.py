"""From packets to flows.

`kernel` counts PACKET rows into FLOW and BIN rows, `fragments` finds the flow of later fragments, `tally` owns the
arrays (empty, update, merge, finish), `finish` decides originator, responder and TCP state and gives `table.FlowTable`.
Next: `classifier.matching` labels the table.
"""

from __future__ import annotations

from classifier.flows import fragments, kernel, merge

__all__ = ["fragments", "kernel", "merge"]
