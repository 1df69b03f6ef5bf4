"""What is wrong on this site, and what the capture cannot tell: one rule per file.

In: a Report. Out: rows of its table "findings": what fired, and what could not be checked, with the reason. Next: the
renderers, `--fail-on`, `--explain CODE`.

`model` what a rule and a finding are · `case` what rules look at · `needs` what rules require of a capture ·
`filters` Wireshark display filters · `catalog` all rules · `examine` runs them · `settings` thresholds · `rules/` the
rules · `pages/` a page of documentation for each.
"""

from __future__ import annotations

from classifier.findings.catalog import all_rules, find_rule
from classifier.findings.model import SEVERITIES, Finding, Need, Rule, Setting, Skipped, any_fired
from classifier.findings.settings import Settings

__all__ = [
    "SEVERITIES",
    "Finding",
    "Need",
    "Rule",
    "Setting",
    "Settings",
    "Skipped",
    "all_rules",
    "any_fired",
    "find_rule",
]
