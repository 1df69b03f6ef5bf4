"""How right the classifier's labels are on generated sites: precision and recall per component, faults one by one.

In: `varied.Made` and the flows of a report about it. Out: `Fault`s, which the tests want none of, and the table of
docs/accuracy.md: `python -m captures.makers.accuracy --write` fills it in, without `--write` it is printed; with
`--faults --seeds 20` everything that is labelled wrongly.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from .varied import FlowTruth, Made, Options, make_site

GRADES = ("", "probable", "confirmed")
PRODUCTS = ("digifort.", "digital_sentry.")
SEEDS = (1, 2, 3)
CASES = (
    Options(),
    Options(content="opaque"),
    Options(start="midstream"),
    Options(start="midstream", content="opaque"),
    Options(directions="into"),
    Options(directions="out_of"),
    Options(directions="into", start="midstream"),
    Options(directions="out_of", start="midstream"),
    Options(ports="moved"),
    Options(ports="moved", content="opaque"),
    Options(ports="moved", start="midstream"),
    Options(layout="one_host"),
    Options(layout="one_host", ports="moved"),
    Options(addresses="nat"),
    Options(addresses="nat", ports="moved"),
    Options(addresses="nat", start="midstream"),
    Options(addresses="nat", content="opaque"),
    Options(snaplen=96),
    Options(snaplen=64),
    Options(decoys="beside"),
    Options(decoys="beside", ports="moved"),
    Options(decoys="speaking"),
    Options(decoys="speaking", start="midstream"),
    Options(decoys="opaque"),
    Options(decoys="opaque", start="midstream"),
)
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


class Fault(NamedTuple):
    """What a report says wrongly. `aspect`: counts, products, rest, grades, roles, learned."""

    aspect: str
    text: str


@dataclass
class Row:
    """Sums of one component, in packets and in wire bytes."""

    flows: int = 0
    there: list[int] = field(default_factory=lambda: [0, 0])  # what is the component's
    knowable: list[int] = field(default_factory=lambda: [0, 0])  # of it, what the capture can tell
    found: list[int] = field(default_factory=lambda: [0, 0])  # of that, what the report gives it
    given: list[int] = field(default_factory=lambda: [0, 0])  # what the report gives it
    right: list[int] = field(default_factory=lambda: [0, 0])  # of that, what the evidence allows
    best: int = 0  # packets of `found` with the best grade that the evidence allows
    too_high: int = 0  # packets of `given` with a better one


Key = tuple[str, frozenset[tuple[str, int]]]


def key_of(protocol: str, *ends: tuple[str, int]) -> Key:
    """A five-tuple without direction."""
    return protocol, frozenset(ends)


def compare(made: Made, flows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Row], list[Fault]]:
    """Rows by component and faults of a report's `flows` about a site."""
    truths = {_key_of_truth(truth): truth for truth in made.truth.flows}
    rows: dict[str, Row] = {}
    faults: list[Fault] = []
    for truth in made.truth.flows:
        row = rows.setdefault(truth.flow.component, Row())
        row.flows += 1
        size = truth.flow.packets, truth.flow.wire_bytes
        _add(row.there, size)
        if truth.knowable:
            _add(row.knowable, size)
    seen: dict[Key, list[int]] = {}
    for flow in flows:
        ends = ((flow["orig_address"], flow["orig_port"]), (flow["resp_address"], flow["resp_port"]))
        key = key_of(flow["protocol"], *ends)
        size = (flow["orig_packets"] + flow["resp_packets"], flow["orig_wire_bytes"] + flow["resp_wire_bytes"])
        _add(seen.setdefault(key, [0, 0]), size)
        one = truths.get(key)
        if one is None:
            faults.append(Fault("counts", f"{key} is not on the site"))
            continue
        faults += _judge(one, flow, size, rows)
    for key, truth in truths.items():
        if seen.get(key) != [truth.flow.packets, truth.flow.wire_bytes]:
            built = truth.flow.packets, truth.flow.wire_bytes
            faults.append(Fault("counts", f"{key}: {seen.get(key)}, built {built}"))
    return rows, faults


def _key_of_truth(truth: FlowTruth) -> Key:
    flow = truth.flow
    return key_of(flow.protocol, (flow.orig, flow.orig_port), (flow.resp, flow.resp_port))


def _add(sums: list[int], size: Iterable[int]) -> None:
    for number, value in enumerate(size):
        sums[number] += value


def _judge(truth: FlowTruth, flow: Mapping[str, Any], size: tuple[int, int], rows: dict[str, Row]) -> Iterable[Fault]:
    owner, grade, component = flow["component"], GRADES.index(flow["grade"] or ""), truth.flow.component
    of_product = owner.startswith(PRODUCTS)
    highest = GRADES.index(truth.grade)
    row = rows.setdefault(owner, Row())
    _add(row.given, size)
    known = owner in truth.owners if truth.owners else not of_product
    allowed = known or (owner == component and highest > 0)
    if allowed:
        _add(row.right, size)
    if truth.knowable and known:
        _add(rows[component].found, size)
        if grade >= highest:
            rows[component].best += size[0]
    what = (
        f"{flow['protocol']} {flow['orig_address']}:{flow['orig_port']} > {flow['resp_address']}:{flow['resp_port']}: "
        f"{owner} {flow['grade']} {flow['evidence']}, is {component}, "
        f"may be {truth.owners or 'no product'} {truth.grade}"
    )
    if not allowed:
        yield Fault("products" if of_product or component.startswith(PRODUCTS) else "rest", what)
    if of_product and grade > highest:
        row.too_high += size[0]
        yield Fault("grades", what)


def facts_about(made: Made, document: Mapping[str, Any]) -> list[Fault]:
    """Faults of a report's hosts and learned endpoints."""
    words = ("Digifort", "Digital Sentry", "ControlPoint", "Pelco")
    faults = []
    hosts = {row["address"]: set(row["roles"]) for row in document["hosts"]}
    for address, roles in made.truth.roles.items():
        if missing := roles - hosts.get(address, set()):
            faults.append(Fault("roles", f"{address} lacks {missing}"))
    for address, given in hosts.items():
        wrong = {role for role in given if any(word in role for word in words)}
        if wrong and address not in made.truth.allowed:
            faults.append(Fault("roles", f"{address} is given {wrong}"))
    learned = {(row["address"], row["port"]) for row in document["learned"]}
    return faults + [Fault("learned", f"{end} is not learned") for end in sorted(made.truth.learned - learned)]


def measure(made: Made, source: Any = None, **how: Any) -> tuple[dict[str, Row], list[Fault]]:
    """Classify a site (`source`: its capture in another form) and compare."""
    from classifier import classify

    document = classify(source or io.BytesIO(made.capture), **how).to_dict(sections=("flows",))
    rows, faults = compare(made, document["flows"])
    totals = document["totals"]
    if (totals["packets"], totals["wire_bytes"]) != (made.truth.packets, made.truth.wire_bytes):
        faults.append(Fault("counts", f"totals {totals}"))
    return rows, faults + facts_about(made, document)


def total(many: Iterable[Mapping[str, Row]]) -> dict[str, Row]:
    """Rows of several sites, added up."""
    sums: dict[str, Row] = {}
    for rows in many:
        for component, row in rows.items():
            into = sums.setdefault(component, Row())
            into.flows += row.flows
            into.best += row.best
            into.too_high += row.too_high
            for name in ("there", "knowable", "found", "given", "right"):
                _add(getattr(into, name), getattr(row, name))
    return sums


def percent(part: int, whole: int) -> str:
    """A share; 100 % and 0 % only when they are exactly that."""
    if not whole:
        return "-"
    share = 100 * part / whole
    if part != whole and share > 99.9:
        return "> 99.9 %"
    return f"{share:.0f} %" if part in (0, whole) else f"{share:.1f} %"


def table(rows: Mapping[str, Row], products_only: bool = True) -> list[str]:
    """Rows of a Markdown table, one for each component."""
    lines = []
    for component in sorted(rows):
        row = rows[component]
        if products_only and not component.startswith(PRODUCTS):
            continue
        cells = [
            f"`{component}`", f"{row.flows:,}", f"{row.there[0]:,}", percent(row.knowable[0], row.there[0]),
            *(percent(row.right[i], row.given[i]) for i in (0, 1)),
            *(percent(row.found[i], row.knowable[i]) for i in (0, 1)),
            percent(row.best, row.found[0]), f"{row.too_high:,}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return lines


HEADS = ("flows", "packets", "knowable", "precision, packets", "precision, bytes", "recall, packets", "recall, bytes",
         "best grade", "grade too high")  # fmt: skip


def head(first: str) -> list[str]:
    """The head of a table."""
    return [f"| {first} | " + " | ".join(HEADS) + " |", "|---|" + "---:|" * len(HEADS)]


def together(rows: Mapping[str, Row], products: bool) -> Row:
    """All components of the products, or all others, as one row."""
    chosen = {name: row for name, row in rows.items() if name.startswith(PRODUCTS) == products}
    return total({"": row} for row in chosen.values()).get("", Row())


def report(cases: Sequence[Options] = CASES, seeds: Sequence[int] = SEEDS) -> str:
    """Both tables: per component over all cases, per case over all components."""
    by_case = {case.name: total(measure(make_site(seed, case))[0] for seed in seeds) for case in cases}
    everything = total(by_case.values())
    lines = [f"{len(cases)} kinds of sites, {len(seeds)} seeds each.", "", *head("component"), *table(everything)]
    others = table({"everything else": together(everything, False)}, False)
    lines += [*others, "", *head("site: products' components")]
    for name, rows in by_case.items():
        line = table({name: together(rows, True)}, False)
        lines += [text.replace("`", "") for text in line]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description="Precision and recall on generated sites.")
    parser.add_argument("--write", action="store_true", help="fill in docs/accuracy.md instead of printing")
    parser.add_argument("--faults", action="store_true", help="print what is labelled wrongly instead; exit code 1")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many seeds (default: %(default)s)")
    given = parser.parse_args(arguments)
    if given.faults:
        wrong = [
            f"{case.name}, seed {seed}, {fault.aspect}: {fault.text}"
            for case in CASES
            for seed in range(1, given.seeds + 1)
            for fault in measure(make_site(seed, case))[1]
        ]
        print("\n".join(wrong))
        return int(bool(wrong))
    text = report(seeds=range(1, given.seeds + 1))
    if not given.write:
        print(text)
        return 0
    page = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
