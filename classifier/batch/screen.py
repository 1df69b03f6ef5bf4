"""The summary of a dataset as text, for 80 columns.

In: a `Summary`. Out: text ending in a newline. Next: `verbs` prints it. Names of files and sites are escaped already
in the dataset, and once more here: it may not be ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from classifier import units
from classifier.batch.summary import Spread, Summary
from classifier.render.escape import middle, printable
from classifier.render.screen_multicast import wrapped

SITES_NAMED = 4
TROUBLES_NAMED = 10
NAME_LIMIT = 48
OF_NO_PRODUCT = {"other": "other services", "network": "network protocols", "unclassified": "unclassified"}


def text(summary: Summary, product_names: Mapping[str, str]) -> str:
    """The whole summary. `product_names`: by product id."""
    lines = _head(summary)
    if summary.captures:
        lines += ["", *_components(summary.components, product_names)]
        lines += ["", *_findings(summary)]
    if summary.troubles:
        lines += ["", *_troubles(summary.troubles)]
    return "\n".join(lines) + "\n"


def _head(summary: Summary) -> list[str]:
    lines = [
        f"{units.counted(summary.captures, 'capture')} of {units.counted(summary.sites, 'site')}, "
        f"{units.size(summary.file_bytes)} in files: {units.counted(summary.packets, 'packet')}, "
        f"{units.counted(summary.flows, 'flow')}"
    ]
    if summary.first_ns is not None and summary.last_ns is not None:
        lines.append(units.period(summary.first_ns, summary.last_ns))
    if summary.copies:
        lines.append(f"{units.counted(summary.copies, 'capture')} with the same content as another one; each counts")
    return lines


def _components(rows: Sequence[Spread], names: Mapping[str, str]) -> list[str]:
    lines = ["COMPONENT                        SITES  CAPTURES  WIRE BYTES  WHERE"]
    product = ""
    for row in rows:
        single = row.kind not in OF_NO_PRODUCT
        if single and row.kind != product:
            product = row.kind
            everywhere = {site for each in rows if each.kind == product for site in each.sites}
            lines.append(f"{printable(names.get(product, product), 32):<32} {len(everywhere):>5}")
        shown = f"  {printable(row.key, 30)}" if single else OF_NO_PRODUCT[row.kind]
        where = _where(row.sites) if single else ""
        line = f"{shown:<32} {len(row.sites):>5}  {row.captures:>8,}  {units.size(row.wire_bytes):>10}  {where}"
        lines.append(line.rstrip())
        if row.versions:
            lines += wrapped("versions", [printable(version, 30) for version in sorted(row.versions)[:8]])
    return lines


def _where(sites: Mapping[str, int]) -> str:
    """The sites with most captures first."""
    order = sorted(sites, key=lambda site: (-sites[site], site))
    named = ", ".join(printable(site, 20) for site in order[:SITES_NAMED])
    return f"{named}, and {len(order) - SITES_NAMED:,} more" if len(order) > SITES_NAMED else named


def _findings(summary: Summary) -> list[str]:
    checks = units.counted(summary.skipped_findings, "check")
    if not summary.findings:
        return [f"No findings{f'; {checks} could not be made' if summary.skipped_findings else ''}."]
    lines = ["FINDING                          SITES  CAPTURES  WHERE"]
    for row in summary.findings:
        shown = f"{printable(row.kind, 7):<8}{printable(row.key, 23)}"
        lines.append(f"{shown:<32} {len(row.sites):>5}  {row.captures:>8,}  {_where(row.sites)}")
        lines.append(f"        {printable(row.name)}")
    if summary.skipped_findings:
        lines.append(f"{checks} could not be made: see skipped_because in the table findings")
    return lines


def _troubles(troubles: Sequence[tuple[str, str, str]]) -> list[str]:
    lines = ["PROBLEMS"]
    for name, status, problem in troubles[:TROUBLES_NAMED]:
        lines.append(f"{printable(status, 11):<11} {middle(printable(name), NAME_LIMIT)}: {printable(problem)}")
    if len(troubles) > TROUBLES_NAMED:
        lines.append(f"and {len(troubles) - TROUBLES_NAMED:,} more: see status and problems in the table captures")
    return lines
