"""The report: the one result of reading a capture, and every way to look at it.

In: a pass over the captures, its labels, the signatures. Out: `Report`: rows for renderers (no pandas), typed
DataFrames for notebooks, single flows re-read for scapy and pyshark. Next: `classifier.render`.

Every fact has one place: `classifier.tables` computes columns, which rows and DataFrames only dress differently.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from classifier.columns import TABLES
from classifier.findings.case import Case
from classifier.findings.examine import examine
from classifier.findings.ports import port_table
from classifier.findings.settings import DEFAULTS, Settings

if TYPE_CHECKING:
    import os

    import pandas as pd

    from classifier.engine import Pass
    from classifier.matching import Attribution, SignatureSet
    from classifier.tables.facts import Columns, Facts

SCHEMA_VERSION = 1

ALWAYS = (
    "components", "candidates", "learned", "findings", "hosts", "streams", "multicast", "protocols", "unclassified",
)  # fmt: skip
"""Sections that every JSON document has."""
ON_REQUEST = ("flows", "ports", "timeline", "quality", "others")

CAPTURE_KEYS = (
    "path", "format", "compression", "link_types", "packets", "wire_bytes", "captured_bytes", "first_ns", "last_ns",
    "complete",
)  # fmt: skip

INTERFACE_KEYS = ("snaplen", "filter", "os", "resolution", "received", "dropped")
INTERFACES_LISTED = 100
"""Interfaces of a capture that are listed; all are counted."""
COMMENT_KEYS = ("about", "number", "text")


class Report:
    """What is in a capture: components, flows, hosts, and how sure we are.

    Attributes: `captures` (list of CaptureInfo), `totals` (dict: packets, wire_bytes, captured_bytes, ip_bytes, flows,
    first_ns, last_ns, duration_ns), `complete`. Tables as DataFrames: `components`, `flows`, `hosts`, `streams`,
    `multicast`, `findings`, `protocols`, `unclassified`, `candidates`, `learned`, `others`, `timeline`,
    `quality`. Tables as plain rows: `rows(section)`.
    """

    def __init__(
        self,
        pass_: Pass,
        signatures: SignatureSet,
        labels: Attribution,
        settings: Settings = DEFAULTS,
    ) -> None:
        from classifier.tables.facts import Facts

        self.facts: Facts = Facts(pass_, signatures, labels)
        self._begin(settings)

    def _begin(self, settings: Settings) -> None:
        self._settings = settings  # thresholds of findings
        self._columns: dict[str, Columns] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._frames: dict[str, pd.DataFrame] = {}

    # -- facts

    @property
    def captures(self) -> list[Any]:
        """What was read: one `CaptureInfo` per file."""
        return self.facts.read.captures

    @property
    def totals(self) -> dict[str, Any]:
        """Sums over everything read; `first_ns` and `last_ns` are None without packets."""
        return self.facts.totals

    @property
    def complete(self) -> bool:
        """Whether every capture was read to its end."""
        return all(info.complete for info in self.captures)

    @property
    def problems(self) -> list[Any]:
        """What went wrong with the reading as a whole, such as a cap; a file's own problems are in `captures`."""
        return list(self.facts.problems)

    @property
    def unreadable(self) -> list[Exception]:
        """Inputs that could not be read at all, as `CaptureError`s; they are not in `captures`."""
        return list(self.facts.read.unreadable)

    def product_name(self, product: str) -> str:
        """A product's name for people, from its signature file; the id itself for what is no product."""
        known = self.facts.signatures.product(product)
        return known.name if known is not None else product

    def columns(self, section: str) -> Columns:
        """Columns of a table, by name, in the order of `columns.TABLES`; raises ValueError for an unknown section."""
        known = self._columns.get(section)
        if known is None:
            known = self._columns[section] = self._compute(section)
        return known

    def _compute(self, section: str) -> Columns:
        from classifier.tables.makers import MAKERS

        if section not in TABLES:
            raise ValueError(f"no section {section!r}: choose from {', '.join(TABLES)}")
        if section == "quality":
            self.columns("hosts")  # so that the measure of what it left out is known
        if section in MAKERS:
            return MAKERS[section](self.facts)
        rows = examine(self.case, self._settings) if section == "findings" else port_table(self.case)
        return {column.name: [row[column.name] for row in rows] for column in TABLES[section]}

    def rows(self, section: str) -> list[dict[str, Any]]:
        """Rows of a table as plain Python values, keys as in `columns.TABLES`; the same list on every call."""
        known = self._rows.get(section)
        if known is None:
            columns = self.columns(section)
            names = [column.name for column in TABLES[section]]
            lists = [_plain(columns[name]) for name in names]
            known = [dict(zip(names, values, strict=True)) for values in zip(*lists, strict=True)]
            self._rows[section] = known
        return known

    def limits(self) -> list[dict[str, Any]]:
        """Tables that show only part of what there is: `{section, listed, total}`."""
        for section in ALWAYS:
            self.columns(section)
        limits = sorted(self.facts.limits.values(), key=lambda limit: limit.section)
        return [{"section": limit.section, "listed": limit.listed, "total": limit.total} for limit in limits]

    def to_dict(self, sections: Iterable[str] = ()) -> dict[str, Any]:
        """The whole report as the JSON document of the contract, with flows, timeline or quality when asked for."""
        from classifier import __version__

        asked = list(sections)
        for section in asked:
            if section not in TABLES:
                raise ValueError(f"no section {section!r}: choose from {', '.join(TABLES)}")
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "generator": {"name": "vms-classifier", "version": __version__},
            "captures": [_capture(info) for info in self.captures],
            "unreadable": [{"path": str(error.path), "message": error.message} for error in self.facts.read.unreadable],
            "problems": [_problem(problem) for problem in self.facts.problems],
            "totals": dict(self.totals),
            "time": self.time,
            "vantage": self.vantage,
            "limits": self.limits(),
        }
        for section in (*ALWAYS, *ON_REQUEST):
            if section in ALWAYS or section in asked:
                document[section] = self.rows(section)
        return document

    def signature_stub(self) -> str:
        """A signature file to begin with, for the largest service that nothing owns; empty when there is none."""
        from classifier.tables.stub import signature_stub

        return signature_stub(self.facts)

    def with_timeline(self, bin: str | None = None, link: str | None = None) -> Report:
        """The same report with another width of the timeline's bins, and with a link's speed.

        `bin`: a multiple of 100 ms such as "100ms", "1s", "10min"; None chooses one so that the timeline stays
        readable. What is finer than the time bins of the reading (those of very long captures are wide) is rounded up
        to them. `link`: "100M", "1G", "10G": adds how full it would have been (`time`, and the timeline as text).
        Raises ValueError for what is neither. Nothing is read again.
        """
        import dataclasses

        from classifier.quantities import bin_ns, rate_bps
        from classifier.tables.facts import View

        view = View(None if bin is None else bin_ns(bin), None if link is None else rate_bps(link))
        other = Report.__new__(type(self))
        other.facts = dataclasses.replace(self.facts, view=view, limits={})
        other._begin(self._settings)
        if "findings" in self._columns:
            other._columns["findings"] = self._columns["findings"]
        return other

    @cached_property
    def case(self) -> Case:
        """The facts as rules of findings look at them, with what several rules share."""
        return Case(self)

    @property
    def vantage(self) -> dict[str, Any]:
        """Where the capture was taken, as far as it shows: `place`, `sentence` (what it can and cannot show), ..."""
        return self.case.vantage.document()

    @property
    def time(self) -> dict[str, Any]:
        """Widths of the time bins, `bin_width_ns` and `timeline_bin_ns`, and `link`: how full it was, or None."""
        from classifier.tables.timeline import document

        return document(self.facts)

    def over_time(self) -> Any:
        """What the screen shows of the capture over time (`tables.timeline.Summary`)."""
        from classifier.tables.timeline import Summary

        return Summary(self.facts)

    def trend(self, component_id: str, points: int) -> list[float]:
        """Mean bits per second of a component in `points` equal slices of the capture's duration."""
        if component_id not in self.facts.labels.components:
            return [0.0] * points
        return self.facts.rates.trend(self.facts.labels.components.index(component_id), points)

    # -- DataFrames

    def frame(self, section: str) -> pd.DataFrame:
        """A table as a typed DataFrame (a copy, yours to change)."""
        from classifier import frames

        known = self._frames.get(section)
        if known is None:
            known = self._frames[section] = frames.frame(section, self.columns(section))
        return known.copy()

    @property
    def components(self) -> pd.DataFrame:
        """One row per component: packets, bytes, rates, grades."""
        return self.frame("components")

    @property
    def flows(self) -> pd.DataFrame:
        """One row per flow; the row's number is its `flow_id`."""
        return self.frame("flows")

    @property
    def hosts(self) -> pd.DataFrame:
        """One row per host, with its roles."""
        return self.frame("hosts")

    @property
    def streams(self) -> pd.DataFrame:
        """One row per media stream."""
        return self.frame("streams")

    @property
    def multicast(self) -> pd.DataFrame:
        """One row per multicast group, port and protocol."""
        return self.frame("multicast")

    @property
    def findings(self) -> pd.DataFrame:
        """What is wrong, or could not be checked."""
        return self.frame("findings")

    @property
    def ports(self) -> pd.DataFrame:
        """The ports that the products need: between whom they were tried, and whether they work."""
        return self.frame("ports")

    @property
    def protocols(self) -> pd.DataFrame:
        """One row per protocol."""
        return self.frame("protocols")

    @property
    def unclassified(self) -> pd.DataFrame:
        """The endpoints with most bytes that no component owns."""
        return self.frame("unclassified")

    @property
    def candidates(self) -> pd.DataFrame:
        """Components that a port alone would suggest, and why they own nothing."""
        return self.frame("candidates")

    @property
    def learned(self) -> pd.DataFrame:
        """Endpoints that content announced."""
        return self.frame("learned")

    @property
    def timeline(self) -> pd.DataFrame:
        """Packets and bytes per time bin and component, sparse."""
        return self.frame("timeline")

    @property
    def quality(self) -> pd.DataFrame:
        """How well the capture could be read."""
        return self.frame("quality")

    def timeseries(self, freq: str = "1s", by: str = "component", *, value: str = "bps", top: int = 20) -> pd.DataFrame:
        """Rates over time: rows are UTC times without gaps, one column per component, flow, host or stream.

        `by`: "component" (all of them; columns add up to the capture), "flow" (columns are flow ids), "host" (bytes
        sent and received; every flow counts at both ends) or "stream" (columns are row numbers of `streams`). All but
        components: the `top` ones by bytes. `value`: "bps" (mean bits per second, the default), "wire_bytes" or
        "packets". Raises ValueError when `freq` is no multiple of the time bins (100 ms, wider for very long captures)
        or gives too many rows.
        """
        from classifier import frames

        return frames.timeseries(self, freq, by, value, top)

    @property
    def others(self) -> pd.DataFrame:
        """What belongs to no product, by service and the names that payloads give."""
        return self.frame("others")

    # -- one stream

    def stream(self, number: int) -> dict[str, Any]:
        """A row of `streams` as plain values; raises ValueError for a number without a stream."""
        rows = self.rows("streams")
        if not 0 <= int(number) < len(rows):
            has = f"streams are 0 to {len(rows) - 1}" if rows else "the capture has no streams"
            raise ValueError(f"no stream {number}: {has}")
        return rows[int(number)]

    def stream_timeseries(self, number: int, freq: str = "1s") -> pd.DataFrame:
        """One stream over time, from its first packet to its last: rows are UTC times without gaps.

        Columns: bps, wire_bytes, packets, lost_alone and lost_with_others (packets found missing), jitter_ms (the
        highest, per packet; NA where no packet came). Raises ValueError as `stream` and `timeseries` do.
        """
        from classifier import frames

        return frames.stream_timeseries(self, self.stream(number), int(number), freq)

    def plot_bandwidth(self, *, freq: str | None = None, top: int = 6, ax: Any = None) -> Any:
        """Bandwidth over time, components stacked (`plots.bandwidth`): matplotlib axes. ImportError without it."""
        from classifier import plots

        return plots.bandwidth(self, freq=freq, top=top, ax=ax)

    def plot_stream(self, number: int, *, freq: str | None = None) -> Any:
        """A stream's rate, loss and jitter over time (`plots.stream`): matplotlib axes. ImportError without it."""
        from classifier import plots

        return plots.stream(self, number, freq=freq)

    # -- one flow

    def explain(self, what: int | str) -> str:
        """Why a flow is labelled as it is, in sentences; with a text such as `"10.0.0.5:8600"`, what a host or port is;
        with a rule's code such as `"DGF-MC-SHARED"`, what it found here and how it decides.

        Raises ValueError when the report has no such flow, host or port.
        """
        from classifier.explain import explain_flow, explain_place, explain_rule
        from classifier.findings import find_rule

        if isinstance(what, str):
            rule = find_rule(what)
            return explain_rule(self.rows("findings"), rule) if rule is not None else explain_place(self.facts, what)
        return explain_flow(self.facts, self.check(what))

    def packets(self, flow_id: int) -> Any:
        """A flow's packets as a scapy PacketList, read again from the captures."""
        from classifier import inspect

        return inspect.packets(self, self.check(flow_id))

    def dissect(self, flow_id: int) -> list[Any]:
        """A flow's packets as pyshark packets; needs tshark. Works where an event loop already runs, as in Jupyter."""
        from classifier import inspect

        return inspect.dissect(self, self.check(flow_id))

    def slice(self, flow_ids: int | Iterable[int], path: str | os.PathLike[str]) -> int:
        """Write the packets of some flows to a new capture file (pcapng, or pcap by its suffix); their number."""
        from classifier import inspect

        wanted = [flow_ids] if isinstance(flow_ids, int) else list(flow_ids)
        return inspect.slice_flows(self, [self.check(flow_id) for flow_id in wanted], path)

    def check(self, flow_id: int) -> int:
        """`flow_id` when this report has such a flow; raises ValueError otherwise."""
        there_are = len(self.facts.read.flows)
        number = int(flow_id)
        if not 0 <= number < there_are:
            has = f"flow ids are 0 to {there_are - 1}" if there_are else "the capture has no flows"
            raise ValueError(f"no flow {number}: {has}")
        return number

    # -- display

    def __repr__(self) -> str:
        totals = self.totals
        names = ", ".join(str(info.path) for info in self.captures[:3])
        return f"<Report of {names!r}: {totals['packets']} packets, {totals['flows']} flows>"

    def _repr_html_(self) -> str:
        from classifier.notebook import as_html

        return as_html(self)


def _plain(values: Any) -> list[Any]:
    """A column as a list of plain Python values."""
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _problem(problem: Any) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("code", "record", "offset", "message")}


def _capture(info: Any) -> dict[str, Any]:
    from classifier.capture import link_type_name

    row = {key: getattr(info, key) for key in CAPTURE_KEYS}
    row["path"] = str(row["path"])
    row["link_types"] = list(row["link_types"])
    row["dropped"] = info.dropped
    row |= {key: getattr(info, key) for key in ("hardware", "os", "application")}
    row["interface_count"] = len(info.interfaces)
    row["interfaces"] = [
        {"name": each.name, "description": each.description, "link_type": link_type_name(each.link)}
        | {key: getattr(each, key) for key in INTERFACE_KEYS}
        for each in info.interfaces[:INTERFACES_LISTED]
    ]
    row["comments"] = [{key: getattr(comment, key) for key in COMMENT_KEYS} for comment in info.comments]
    row["problem_count"] = info.problem_count
    row["problems"] = [_problem(problem) for problem in info.problems]
    return row
