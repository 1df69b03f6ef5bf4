"""What a dataset says in all: which products and findings, at which sites.

In: a dataset's folder. Out: `Summary`. Next: `screen`, or a program. Reads the committed captures only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from classifier.batch.schema import DAMAGED, DATASET, UNREADABLE
from classifier.render.parquet import arrow_schema


@dataclass
class Spread:
    """Something that was found, and where. `sites`: how many captures of each."""

    key: str
    name: str
    kind: str = ""  # of a component its product, of a finding its severity
    captures: int = 0
    wire_bytes: int = 0
    sites: dict[str, int] = field(default_factory=dict)
    versions: set[str] = field(default_factory=set)


@dataclass
class Summary:
    """Of all captures in a dataset. `troubles`: (name, status, first problem). `copies`: captures whose content another
    one has too. Components: products' own ones, then `other`, `network`, `unclassified` as one row each."""

    captures: int = 0
    sites: int = 0
    file_bytes: int = 0
    packets: int = 0
    wire_bytes: int = 0
    flows: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    copies: int = 0
    components: list[Spread] = field(default_factory=list)
    findings: list[Spread] = field(default_factory=list)
    skipped_findings: int = 0
    troubles: list[tuple[str, str, str]] = field(default_factory=list)


def read_table(dataset: str | os.PathLike[str], table: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of a table, captures in the order of their ids; of captures that are in the dataset only."""
    return [row for batch in _batches(dataset, table, columns) for row in batch.to_pylist()]


def _batches(dataset: str | os.PathLike[str], table: str, columns: Sequence[str]) -> Iterator[Any]:
    from pyarrow import dataset as arrow

    folder = Path(dataset)
    names = sorted(path.name for path in (folder / "captures").glob("*.parquet"))
    files = [str(folder / table / name) for name in names]
    if files:
        source = arrow.dataset(files, schema=arrow_schema(DATASET[table]), format="parquet")
        yield from source.scanner(columns=list(columns), batch_readahead=2, fragment_readahead=8).to_batches()


def summarise(dataset: str | os.PathLike[str]) -> Summary:
    """The summary of a dataset. Raises OSError."""
    from classifier.findings import SEVERITIES, find_rule
    from classifier.tables.facts import PRODUCTS_LAST, product_rank

    out = Summary()
    columns = (
        "capture_id", "name", "site", "status", "sha256", "file_bytes", "packets", "wire_bytes", "flows", "first_ns",
        "last_ns", "problems",
    )  # fmt: skip
    site: dict[str, str] = {}
    contents: dict[str, int] = {}
    for row in read_table(dataset, "captures", columns):
        site[row["capture_id"]] = row["site"]
        out.captures += 1
        out.file_bytes += row["file_bytes"] or 0
        for key in ("packets", "wire_bytes", "flows"):
            setattr(out, key, getattr(out, key) + row[key])
        for key, pick in (("first_ns", min), ("last_ns", max)):
            if row[key] is not None:
                known = getattr(out, key)
                setattr(out, key, row[key] if known is None else pick(known, row[key]))
        if row["sha256"] is not None:
            contents[row["sha256"]] = contents.get(row["sha256"], 0) + 1
        if row["status"] in (UNREADABLE, DAMAGED):
            out.troubles.append((row["name"], row["status"], (row["problems"] or [""])[0]))
    out.sites = len(set(site.values()))
    out.copies = sum(count for count in contents.values() if count > 1)
    out.troubles.sort(key=lambda trouble: (trouble[1] != UNREADABLE, trouble[0]))

    components: dict[str, Spread] = {}
    counted: set[tuple[str, str]] = set()
    for row in read_table(dataset, "components", ("capture_id", "id", "product", "name", "wire_bytes")):
        single = row["product"] not in PRODUCTS_LAST
        key = row["id"] if single else row["product"]
        found = components.setdefault(key, Spread(key, row["name"] if single else "", row["product"]))
        found.wire_bytes += row["wire_bytes"]
        if (row["capture_id"], key) not in counted:
            counted.add((row["capture_id"], key))
            _here(found, site[row["capture_id"]])
    for row in read_table(dataset, "learned", ("component", "version")):
        if row["version"] and row["component"] in components:
            components[row["component"]].versions.add(row["version"])
    out.components = sorted(
        components.values(), key=lambda c: (product_rank(c.kind), c.kind, -len(c.sites), -c.wire_bytes, c.key)
    )

    findings: dict[tuple[str, str], Spread] = {}
    fired: set[tuple[str, str, str]] = set()
    for row in read_table(dataset, "findings", ("capture_id", "code", "severity", "title", "status")):
        if row["status"] != "fired":
            out.skipped_findings += 1
            continue
        which = (row["code"], row["severity"])
        rule = find_rule(row["code"])  # its title names no host of one capture
        title = rule.title if rule is not None else row["title"]
        found = findings.setdefault(which, Spread(row["code"], title, row["severity"]))
        if (row["capture_id"], *which) not in fired:
            fired.add((row["capture_id"], *which))
            _here(found, site[row["capture_id"]])
    rank = {severity: place for place, severity in enumerate(SEVERITIES)}
    out.findings = sorted(findings.values(), key=lambda f: (rank.get(f.kind, 9), -len(f.sites), f.key))
    return out


def _here(found: Spread, site: str) -> None:
    found.captures += 1
    found.sites[site] = found.sites.get(site, 0) + 1
