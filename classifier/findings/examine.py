"""Run the rules over a report.

In: a Case and settings. Out: rows of the table "findings": what fired, the worst first, then what could not be
checked and why. A rule that found nothing wrong has no row. Next: `Report.findings`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from classifier.findings.case import Case
from classifier.findings.catalog import all_rules
from classifier.findings.model import FIRED, FLOWS_OF_A_FINDING, SEVERITIES, SKIPPED, Finding, Rule, Skipped
from classifier.findings.settings import DEFAULTS, Settings

FAULT = "the rule stopped by an error of its own"
FINDINGS_OF_A_RULE = 20
"""Findings of one rule that are listed one by one; the rest is one row that counts them."""


def examine(case: Case, settings: Settings = DEFAULTS) -> list[dict[str, Any]]:
    """Rows of the table "findings" (columns.FINDINGS)."""
    fired: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    for rule in all_rules():
        because = next(filter(None, (need.lacking(case) for need in rule.needs)), "")
        if because:
            skipped.append(_skipped(rule, because))
            continue
        try:
            found = list(rule.check(case, partial(settings.of_rule, rule)))
            rows = [_fired(rule, item) for item in _bounded([item for item in found if isinstance(item, Finding)])]
        except Exception as error:  # a fault of ours must not cost the report; tests and fuzzing look for FAULT
            skipped.append(_skipped(rule, f"{FAULT} ({type(error).__name__}: {error}); please report it"))
            continue
        fired += rows
        skipped += [_skipped(rule, item.because) for item in found if isinstance(item, Skipped)]
    # stable: within a severity by family, code and the rule's own order
    return sorted(fired, key=lambda row: SEVERITIES.index(row["severity"])) + skipped


def _bounded(findings: list[Finding]) -> list[Finding]:
    """The first ones, and one that stands for the rest."""
    if len(findings) <= FINDINGS_OF_A_RULE:
        return findings
    kept, rest = findings[: FINDINGS_OF_A_RULE - 1], findings[FINDINGS_OF_A_RULE - 1 :]
    flows = [flow for item in rest for flow in item.flow_ids]
    title = f"{len(rest):,} more like this"
    summary = f"Of the same kind, not listed one by one. The first of them: {rest[0].title}."
    first = min((item.first_record for item in rest if item.first_record), default=0)
    return [*kept, Finding(title, summary, flows, first, severity=rest[0].severity)]


def _fired(rule: Rule, item: Finding) -> dict[str, Any]:
    text, packets = item.selection()
    return {
        "code": rule.code,
        "severity": item.severity or rule.severity,
        "title": item.title,
        "summary": item.summary,
        "remedy": item.remedy or rule.remedy,
        "display_filter": text,
        "selected_packets": packets if text else None,
        "flow_ids": [int(flow) for flow in item.flow_ids[:FLOWS_OF_A_FINDING]],
        "first_record": int(item.first_record) or None,
        "source": rule.source,
        "status": FIRED,
        "skipped_because": None,
    }


def _skipped(rule: Rule, because: str) -> dict[str, Any]:
    return {
        "code": rule.code,
        "severity": rule.severity,
        "title": rule.title,
        "summary": "",
        "remedy": "",
        "display_filter": "",
        "selected_packets": None,
        "flow_ids": [],
        "first_record": None,
        "source": rule.source,
        "status": SKIPPED,
        "skipped_because": because,
    }
