"""From packets to flows.

`kernel` counts PACKET rows into FLOW and BIN rows, `hashing` says where a flow's row is, `fragments` finds the flow of
later fragments, `bins` joins time bins, `streams` and `continuity` follow media streams, `tally` owns the arrays
(update, finish), `finish` decides originator, responder and TCP state and gives `table.FlowTable`. Next:
`classifier.matching` labels the table.
"""

from __future__ import annotations

from classifier.flows import bins, continuity, fragments, hashing, interleaved, kernel

__all__ = ["bins", "continuity", "fragments", "hashing", "interleaved", "kernel"]
