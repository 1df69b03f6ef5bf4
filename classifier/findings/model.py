"""What a rule and a finding are.

In: nothing. Out: the types that every rule is made of. Next: `findings.rules`, `findings.examine`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classifier.findings.case import Case

SEVERITIES = ("error", "warning", "info")
"""Worst first. error: something does not work; warning: it will, or works badly; info: worth knowing."""
FIRED, SKIPPED = "fired", "skipped"
"""`status` of a row of the table "findings"."""
FAMILIES = {
    "CAP": "What the capture can and cannot show",
    "NET": "The network",
    "DGF": "Digifort",
    "DS": "Pelco Digital Sentry",
}
"""What a code begins with."""


FLOWS_OF_A_FINDING = 1000
"""Flow ids listed with a finding."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A threshold that the user can change. All of them are ours, unless `meaning` names who says so."""

    name: str
    default: float
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Need:
    """What a rule requires of a capture. `lacking`: an empty text, or why the capture cannot answer."""

    text: str  # for the list of rules: "a Digifort component"
    lacking: Callable[[Case], str]


Selection = Callable[[], tuple[str, int | None]]
"""Asked only of findings that are listed: a display filter, and how many packets Wireshark selects by it."""


def nothing() -> tuple[str, None]:
    """The `Selection` of what no display filter can show."""
    return "", None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule found.

    `summary`: the concrete hosts, ports, counts and times. `flow_ids`: the flows that show it, worst first.
    `first_record`: number of the first packet of them in its file, from 1; 0 without one. `selection`: see there, its
    packets are exact. `severity`, `remedy`: the rule's, unless given.
    """

    title: str
    summary: str
    flow_ids: Sequence[int] = ()
    first_record: int = 0
    selection: Selection = nothing
    severity: str = ""
    remedy: str = ""


def any_fired(rows: Iterable[Mapping[str, Any]], severity: str) -> bool:
    """Whether something of a severity, or worse, was found: rows of the table "findings"."""
    severe = SEVERITIES[: SEVERITIES.index(severity) + 1]
    return any(row["status"] == FIRED and row["severity"] in severe for row in rows)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why a rule could not answer, found out on the way."""

    because: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `check` gives findings, worst first, or why it cannot tell; nothing when all is well.

    `severity`: the worst it gives. `title`: what it is about, without names. `remedy`: what to do, in plain words.
    `source`: the document and its sentence, the standard, or that it is ours.
    """

    code: str
    severity: str
    title: str
    remedy: str
    source: str
    check: Callable[[Case, Callable[[str], float]], Iterable[Finding | Skipped]]
    needs: tuple[Need, ...] = ()
    settings: tuple[Setting, ...] = ()

    @property
    def family(self) -> str:
        """CAP, NET, DGF or DS."""
        return self.code.partition("-")[0]
