"""What payloads prove: rules over the evidence bits that the payload sniffer leaves in a flow.

In: `FlowTable.evidence`. Out: flows owned as confirmed, before any port is looked at; vetoes against port rules.
Next: `attribute`. The bits themselves are set by `classifier.evidence`; `CONTENT_RULES` and `CONTENT_VETOES` say what
they mean for labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from classifier.matching.labels import CONTENT, Labels
from classifier.matching.model import CONFIRMED


@dataclass(frozen=True, slots=True)
class ContentRule:
    """Flows with all bits of `mask` belong to `component`."""

    mask: int
    component: str
    code: str  # of the evidence, such as "content:digifort_frame"
    sentence: str
    end: int = 0  # the listening end: 0 the responder, 1 the originator


@dataclass(frozen=True, slots=True)
class ContentVeto:
    """Flows with any bit of `mask` are not `component`'s by port."""

    mask: int
    component: str
    sentence: str


CONTENT_RULES: tuple[ContentRule, ...] = ()
CONTENT_VETOES: tuple[ContentVeto, ...] = ()


def apply_content(labels: Labels, rules: Sequence[ContentRule], vetoes: Sequence[ContentVeto]) -> None:
    """Own what content proves, the first rule that fits; note what content rules out."""
    evidence = labels.flows.evidence
    for rule in rules:
        rows = np.flatnonzero(((evidence & rule.mask) == rule.mask) & (labels.component < 0) & ~labels.flows.unresolved)
        if not len(rows):
            continue
        number = labels.number(rule.component)
        signature = labels.signatures.get(rule.component)
        labels.own(rows, number, CONFIRMED, CONTENT, end=rule.end)
        if signature is not None:
            labels.grade[rows] = labels.grade_of(signature, CONFIRMED)
            labels.hold_roles(rows, number, rule.end)
    for veto in vetoes:
        number = labels.numbers.get(veto.component, -1)
        if number >= 0:
            labels.vetoes[number] = labels.vetoes.get(number, 0) | veto.mask
