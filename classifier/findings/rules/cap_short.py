"""CAP-SHORT: the capture is too short for some statements about what is absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import needs
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.units import span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    seconds = case.seconds
    groups = bool(case.facts.addresses.group.any()) and bool(case.read.memberships or case.read.streams.rows.size)
    missing = []
    if groups and seconds < setting("query"):
        missing.append(f"whether an IGMP or MLD querier is there (one asks every {setting('query'):g} s)")
    if groups and seconds < setting("membership"):
        missing.append(f"whether a switch forgets members of a group (after {setting('membership'):g} s)")
    products = [name for product, name in PRODUCTS.items() if len(case.server_numbers(product))]
    if "Digifort" in products and seconds < setting("announcement"):
        missing.append(f"whether a Digifort service stopped announcing itself (from {setting('announcement'):g} s on)")
    if products and seconds < setting("idle"):
        missing.append(f"whether idle connections get cut (firewalls wait {setting('idle'):g} s and longer)")
    if not missing:
        return
    yield Finding(
        title=f"The capture is too short for some answers: {span(case.duration_ns)}",
        summary=f"It cannot show {_joined(missing)}. Rules that need more time are skipped.",
    )


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{'; '.join(parts[:-1])}; nor {parts[-1]}"


PRODUCTS = {"digifort": "Digifort", "digital_sentry": "Digital Sentry"}

RULE = Rule(
    code="CAP-SHORT",
    severity="info",
    title="The capture is too short for some answers",
    remedy="Capture for ten minutes, and over the time at which the trouble shows.",
    source="RFC 3376, 8.2 and 8.4: query interval 125 s, group membership interval 260 s by default; the others are "
    "ours",
    check=check,
    needs=(needs.PACKETS,),
    settings=(
        Setting("query", 125, "s", "between two general IGMP queries (RFC 3376, 8.2)"),
        Setting("membership", 260, "s", "until a member that does not report is forgotten (RFC 3376, 8.4)"),
        Setting(
            "announcement", 300, "s", "until a missing announcement means something; the interval is not published"
        ),
        Setting("idle", 120, "s", "until an idle connection that is cut would show"),
    ),
)
