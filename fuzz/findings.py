"""Rules over mutated captures: what they promise of any capture, and the generated faults as seeds.

In: a report, or nothing. Out: raises `WrongFinding`; bytes of captures. Next: `fuzz/mutate.py`, `fuzz/targets.py`.
"""

from __future__ import annotations

import warnings
from typing import Any

LONGEST_TEXT = 20_000
"""Characters that a title, a summary or a filter may have: each names a few things and counts the rest."""
ENDS = (None, 0.0, 1e12)
"""What every setting of every rule is set to; None: its default."""


class WrongFinding(Exception):
    """A rule stopped by an error of its own, or said what cannot be."""


def check_findings(report: Any) -> int:
    """Examine with the defaults and with every setting at its ends; how many findings the defaults gave."""
    from classifier.findings import Settings, all_rules
    from classifier.findings.examine import examine

    fired = 0
    flows = len(report.rows("flows"))
    for value in ENDS:
        names = [(rule.code, item.name) for rule in all_rules() for item in rule.settings]
        settings = Settings({} if value is None else dict.fromkeys(names, value))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a division by zero in NumPy is one too
            rows = examine(report.case, settings)
        for row in rows:
            wrong = _wrong(row, flows)
            if wrong:
                raise WrongFinding(f"{row['code']} with settings at {value}: {wrong}")
            fired += value is None and row["status"] == "fired"
    return fired


def _wrong(row: dict[str, Any], flows: int) -> str:
    from classifier.findings.examine import FAULT

    if row["status"] == "skipped":
        because = str(row["skipped_because"])
        return because if FAULT in because or not because else ""
    if not (row["title"] and row["summary"] and row["remedy"]):
        return "a text is missing"
    if max(len(row[name]) for name in ("title", "summary", "remedy", "display_filter")) > LONGEST_TEXT:
        return "a text is endless"
    if bool(row["display_filter"]) != (row["selected_packets"] is not None):
        return f"filter {row['display_filter']!r} selects {row['selected_packets']}"
    if not all(0 <= flow < flows for flow in row["flow_ids"]):
        return f"flows {row['flow_ids']} of {flows}"
    return ""


def scene_seeds(largest: int, one_each: bool = False) -> list[bytes]:
    """The captures that the rules are tested with, cut to `largest` bytes, in a fixed order; `one_each`: of each rule
    the first that makes it fire."""
    from captures.makers.faults import all_scenes

    scenes = all_scenes()
    if one_each:
        scenes = list({scene.code: scene for scene in reversed(scenes) if scene.fires}.values())
    found = []
    for scene in scenes:
        made = scene.make()
        found += [bytes(part[:largest]) for part in ([made] if isinstance(made, bytes) else made)]
    return found
