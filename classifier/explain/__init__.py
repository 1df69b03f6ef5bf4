"""Why things are labelled as they are, in sentences.

In: the facts of a report, and a flow's number, or a host with or without a port. Out: text, one statement a line.
Next: `Report.explain`, `classify --explain`.

`flow` one flow · `host` a host or an endpoint · `raising` what would raise a grade · `place` how places are written
· `words` what they share · `findings` what rules found and how they decide.
"""

from __future__ import annotations

from classifier.explain.findings import explain_rule
from classifier.explain.flow import explain_flow
from classifier.explain.host import explain_place
from classifier.explain.words import utc

__all__ = ["explain_flow", "explain_place", "explain_rule", "utc"]
