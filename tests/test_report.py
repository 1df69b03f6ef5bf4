"""The report: sums, tables, JSON document, single figures worked out by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from conftest import corpus_files
from hypothesis import given, settings
from hypothesis import strategies as st
from passes import (
    CAMERA,
    CLIENT,
    OTHER,
    SERVER,
    START,
    Flow,
    Frames,
    S,
    a_report,
    membership,
    site,
)

import classifier
from classifier.columns import TABLES
from classifier.errors import CaptureError
from classifier.evidence.collect import Membership
from classifier.render import json as render_json
from classifier.schema import SCHEMA_FILE, as_text, report_schema
from classifier.tables import hosts as hosts_module

ROOT = Path(__file__).resolve().parent.parent
EMPTY = a_report([])
VALIDATOR = jsonschema.Draft202012Validator(report_schema())


def by(rows: list[dict[str, Any]], key: str) -> dict[Any, dict[str, Any]]:
    return {row[key]: row for row in rows}


@pytest.mark.parametrize("section", TABLES)
@pytest.mark.parametrize("report", [site(), EMPTY], ids=["site", "empty"])
def test_rows_have_exactly_the_columns_in_order(section: str, report: Any) -> None:
    for row in report.rows(section):
        assert list(row) == [column.name for column in TABLES[section]]
    assert report.rows(section) is report.rows(section)


@pytest.mark.parametrize("report", [site(), EMPTY], ids=["site", "empty"])
def test_the_document_fits_its_schema_and_survives_json(report: Any) -> None:
    document = report.to_dict(("flows", "timeline", "quality"))
    VALIDATOR.validate(document)
    assert json.loads(render_json.render(report, ("flows", "timeline", "quality"))) == document


def test_the_checked_in_schema_is_the_generated_one() -> None:
    assert SCHEMA_FILE.read_text(encoding="ascii") == as_text(), "run: python -m classifier.schema"


def test_flows_timeline_and_quality_are_in_the_document_only_on_request() -> None:
    plain = site().to_dict()
    assert not {"flows", "timeline", "quality"} & set(plain)
    assert list(site().to_dict(["flows"]))[-1] == "flows"
    with pytest.raises(ValueError, match="no section 'flow'"):
        site().to_dict(["flow"])


def test_the_same_input_gives_the_same_bytes() -> None:
    assert render_json.render(site(), ["flows"]) == render_json.render(site(), ["flows"])


def test_components_are_ordered_and_summed() -> None:
    rows = site().rows("components")
    assert [row["id"] for row in rows] == [
        "digifort.multicast_media", "digifort.server", "other.http", "network.icmpv6", "network.arp",
        "unclassified.link", "unclassified.tcp",
    ]  # fmt: skip
    server = rows[1]
    assert (server["packets"], server["wire_bytes"], server["flows"]) == (3, 1134, 1)
    assert server["grades"]["probable"] == {"flows": 1, "packets": 3, "wire_bytes": 1134}
    assert server["grades"]["confirmed"] == {"flows": 0, "packets": 0, "wire_bytes": 0}
    assert server["name"] == "Digifort Server"
    assert server["mean_bps"] == 1134 * 8 / 4  # the capture lasts 4 s
    assert server["peak_bps"] == 1074 * 8  # both packets of the first second
    assert (server["first_ns"], server["last_ns"]) == (START, START + 4 * S)
    assert rows[4]["flows"] == 0  # ARP makes no flows


def test_a_users_product_stands_between_the_products_and_everything_else() -> None:
    owners = ["other.http", "acme.core", "unclassified.udp", "digital_sentry.video", "digifort.web", "zeta.x"]
    flows = [Flow(CLIENT, SERVER, o, [(i, 100, True)], resp_port=i) for i, o in enumerate(owners)]
    ids = [row["id"] for row in a_report(flows).rows("components")]
    assert ids == ["digifort.web", "digital_sentry.video", "acme.core", "zeta.x", "other.http", "unclassified.udp"]


@pytest.mark.parametrize("count", [1, 2, 3, 19, 20, 21, 100])
def test_p95_and_peak_are_those_of_the_dense_seconds(count: int) -> None:
    rng = np.random.default_rng(count)
    wire = rng.integers(60, 1500, count)
    packets = [(float(i * 3), int(w), True) for i, w in enumerate(wire)]  # two empty seconds between
    report = a_report([Flow(CLIENT, SERVER, "other.http", packets)])
    dense = np.zeros((count - 1) * 3 + 1)
    dense[::3] = wire * 8
    row = report.rows("components")[0]
    assert row["peak_bps"] == dense.max()
    assert row["p95_bps"] == pytest.approx(np.percentile(dense, 95), abs=0.001)


def test_p95_of_a_capture_over_a_century_needs_no_memory() -> None:
    row = a_report([Flow(CLIENT, SERVER, "other.http", [(0, 100, True), (4e9, 200, True)])]).rows("components")[0]
    assert (row["peak_bps"], row["p95_bps"]) == (1600, 0)


def test_one_packet_lasts_one_second() -> None:
    report = a_report([Flow(CLIENT, SERVER, "other.http", [(0.0, 125, True)])])
    row = report.rows("components")[0]
    assert report.totals["duration_ns"] == 0
    assert (row["mean_bps"], row["peak_bps"], row["p95_bps"]) == (1000, 1000, 1000)
    assert sum(report.trend("other.http", 4)) / 4 == 1000


def test_a_trend_holds_all_the_bytes() -> None:
    report = site()
    for row in report.rows("components"):
        trend = report.trend(row["id"], 12)
        assert len(trend) == 12
        assert min(trend) >= 0
        assert sum(trend) / 12 * 4 / 8 == pytest.approx(row["wire_bytes"])
    assert report.trend("digifort.nothing", 3) == [0, 0, 0]


def test_a_trend_shows_when() -> None:
    packets = [(i + 0.5, 1000, True) for i in range(10)] + [(i + 0.5, 3000, True) for i in range(10, 20)]
    packets += [(0.0, 0, True), (20.0, 0, True)]
    trend = a_report([Flow(CLIENT, SERVER, "other.http", packets)]).trend("other.http", 2)
    assert trend[1] == pytest.approx(3 * trend[0], rel=0.1)


def test_hosts() -> None:
    rows = by(site().rows("hosts"), "address")
    assert set(rows) == {SERVER, CLIENT, CAMERA, OTHER, "fd00::1", "fd00::2"}  # no group
    server = rows[SERVER]
    assert server["roles"] == ["Digifort server"]
    assert server["products"] == ["digifort"]
    assert (server["sent_packets"], server["received_packets"]) == (9, 2)
    assert (server["sent_wire_bytes"], server["received_wire_bytes"]) == (10600, 134)
    assert (server["flows"], server["peers"]) == (2, 2)
    assert server["macs"] == ["02:00:00:00:00:01"]
    assert rows[CAMERA]["macs"] == []
    assert next(iter(rows)) == SERVER  # most bytes first


def test_a_host_that_talks_to_itself_is_counted_once() -> None:
    row = a_report([Flow("127.0.0.1", "127.0.0.1", "other.http", [(0, 60, True), (1, 70, False)])]).rows("hosts")[0]
    assert (row["sent_packets"], row["received_packets"], row["flows"], row["peers"]) == (2, 2, 1, 1)


def test_hosts_beyond_the_limit_are_counted_and_those_with_a_role_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts_module, "HOSTS_LISTED", 5)
    flows = [Flow(f"10.1.0.{i}", SERVER, "other.http", [(i, 100 + i, True)], orig_port=i) for i in range(1, 9)]
    report = a_report(flows, roles={"10.1.0.1": ["camera"], "10.9.9.9": ["nobody"]})
    assert [row["address"] for row in report.rows("hosts")] == [SERVER, "10.1.0.8", "10.1.0.7", "10.1.0.6", "10.1.0.1"]
    assert {"section": "hosts", "listed": 5, "total": 9} in report.to_dict()["limits"]
    assert by(report.rows("quality"), "measure")["hosts_not_listed"]["value"] == 4


def test_multicast_groups_and_who_joined_them() -> None:
    rows = site().rows("multicast")
    assert [(row["group"], row["port"], row["packets"]) for row in rows] == [
        ("225.5.10.1", 1025, 8),
        ("239.1.2.3", 0, 0),
    ]
    media = rows[0]
    assert (media["senders"], media["members"], media["ttl"]) == ([SERVER], [CLIENT], 32)
    assert media["component"] == "digifort.multicast_media"
    assert media["mean_bps"] == 8 * 1200 * 8 / 4
    assert (rows[1]["members"], rows[1]["ttl"], rows[1]["first_ns"]) == ([CLIENT], None, START + 2 * S)


def test_two_senders_of_one_group_stand_in_one_row() -> None:
    flows = [
        Flow(host, "225.5.10.1", owner, [(i, 100, True)] * n, proto="udp", resp_port=1025)
        for i, (host, owner, n) in enumerate([(SERVER, "other.rtp", 1), (OTHER, "digifort.multicast_media", 3)])
    ]
    igmp = Flow(CLIENT, "225.5.10.1", "network.igmp", [(0, 60, True)], proto="igmp", orig_port=0, resp_port=0)
    broadcast = Flow(CLIENT, "255.255.255.255", "other.dhcp", [(0, 60, True)], proto="udp", resp_port=67)
    left = [membership("225.5.10.1", CLIENT, "leave"), membership("ff02::1:ff00:1", "fe80::1")]
    (row,) = a_report([*flows, igmp, broadcast], memberships=left).rows("multicast")
    assert row["senders"] == [OTHER, SERVER]  # most packets first
    assert row["component"] == "digifort.multicast_media"
    assert row["members"] == []
    assert (row["joins"], row["leaves"], row["first_join_ns"]) == (0, 1, None)
    assert row["last_leave_ns"] == row["first_leave_ns"] == left[0].ts_ns


def test_a_group_tells_each_senders_ttl_its_peak_and_who_asks_for_members() -> None:
    def said(group: str, host: str, kind: str, version: int, at: int) -> Membership:
        return Membership(group, host, kind, version, START + at, 0, 1)

    flows = [
        Flow(SERVER, "225.5.10.1", "x", [(0, 500, True), (1, 100, True)], proto="udp", resp_port=1025, ttl=4),
        Flow(CAMERA, "225.5.10.1", "x", [(1, 300, True)], proto="udp", resp_port=1025, ttl=64),
    ]
    spoken = [
        said("", "10.0.0.9", "query", 3, 0),
        said("225.5.10.1", "10.0.0.8", "query", 2, 0),
        said("239.0.0.1", "10.0.0.7", "query", 1, 0),
        said("", "fe80::1", "query", 2, 0),
        said("225.5.10.1", CLIENT, "join", 3, 1),
        said("225.5.10.1", OTHER, "join", 3, 2),
        said("225.5.10.1", CLIENT, "leave", 3, 5),
        said("225.5.10.1", OTHER, "join", 3, 9),
    ]
    report = a_report(flows, memberships=spoken)
    (row,) = report.rows("multicast")
    assert (row["senders"], row["sender_ttls"], row["ttl"]) == ([SERVER, CAMERA], [4, 64], 4)
    assert row["peak_bps"] == 500 * 8
    assert (row["members"], row["left"]) == ([CLIENT, OTHER], [CLIENT])
    assert (row["joins"], row["first_join_ns"], row["last_join_ns"]) == (3, START + 1, START + 9)
    assert (row["leaves"], row["first_leave_ns"], row["last_leave_ns"]) == (1, START + 5, START + 5)
    assert (row["queriers"], row["querier_version"]) == (["10.0.0.8", "10.0.0.9"], "IGMPv2, IGMPv3")
    frame = report.multicast
    assert str(frame["first_leave_ns"].dtype) == "datetime64[ns, UTC]"


def test_unclassified_is_listed_by_endpoint_with_a_hint() -> None:
    report = site()
    rows = report.rows("unclassified")
    assert [(r["protocol"], r["address"], r["port"], r["wire_bytes"]) for r in rows] == [
        ("link", "", 0, 300),
        ("tcp", CAMERA, 80, 60),
    ]
    assert rows[1]["hint"] == "1 connection attempt not answered; port of digifort.web"
    assert sum(r["wire_bytes"] for r in rows) == sum(
        c["wire_bytes"] for c in report.rows("components") if c["product"] == "unclassified"
    )


def test_the_unclassified_top_list_says_how_many_there_are() -> None:
    flows = [
        Flow(CLIENT, SERVER, "unclassified.udp", [(0, i, True)], proto="udp", resp_port=i) for i in range(100, 150)
    ]
    report = a_report(flows)
    assert [row["port"] for row in report.rows("unclassified")] == list(range(149, 129, -1))
    assert report.limits() == [{"section": "unclassified", "listed": 20, "total": 50}]


def test_protocols() -> None:
    rows = site().rows("protocols")
    assert [(r["protocol"], r["packets"], r["flows"]) for r in rows] == [
        ("udp", 8, 1), ("tcp", 6, 3), ("link", 1, 0), ("icmpv6", 2, 1), ("arp", 2, 0),
    ]  # fmt: skip
    assert sum(r["share"] for r in rows) == pytest.approx(1)


def test_flow_rows() -> None:
    rows = site().rows("flows")
    assert [row["flow_id"] for row in rows] == [0, 1, 2, 3, 4]
    first = rows[0]
    assert (first["orig_address"], first["resp_address"], first["resp_port"]) == (CLIENT, SERVER, 8600)
    assert (first["vlan"], rows[2]["vlan"]) == (12, None)
    assert (first["grade"], first["component"], first["tcp_state"]) == ("probable", "digifort.server", "established")
    assert first["evidence"] == ["port:tcp/8600", "role:listener"]
    assert rows[3]["candidates"] == ["digifort.web"]
    assert (rows[4]["encapsulation"], rows[4]["orig_address"]) == ("vxlan", "fd00::1")
    assert (first["peak_bps"], first["peak_ns"]) == (1074 * 8, START // S * S)
    assert {type(v) for v in first.values()} <= {int, float, str, list, type(None)}


def test_quality_measures() -> None:
    rows = by(site().rows("quality"), "measure")
    assert rows["packets_missing"]["value"] == 0
    assert rows["tcp_one_sided"]["value"] == pytest.approx(1 / 3)
    assert rows["duration"]["value"] == 4
    assert by(EMPTY.rows("quality"), "measure").keys() == rows.keys()


def test_an_unknown_section_is_refused() -> None:
    with pytest.raises(ValueError, match="no section 'host'"):
        site().rows("host")


def test_an_empty_capture_has_no_times() -> None:
    assert EMPTY.totals == {
        "packets": 0, "wire_bytes": 0, "captured_bytes": 0, "ip_bytes": 0, "flows": 0, "first_ns": None,
        "last_ns": None, "duration_ns": 0,
    }  # fmt: skip
    assert EMPTY.complete


ADDRESSES = st.sampled_from([CLIENT, SERVER, CAMERA, OTHER, "225.5.10.1", "255.255.255.255"])
PACKETS = st.lists(st.tuples(st.floats(0, 30), st.integers(0, 2**32), st.booleans()), min_size=1, max_size=5)
OWNERS = ["digifort.server", "digital_sentry.sql", "other.http", "network.icmp", "unclassified.udp", "acme.core"]
FLOWS = st.builds(
    Flow, ADDRESSES, ADDRESSES, st.sampled_from(OWNERS), PACKETS, st.sampled_from(["tcp", "udp", "icmp"]),
    st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 2),
)  # fmt: skip
FRAMES = st.builds(
    Frames,
    st.sampled_from(["arp", "link", "stp"]),
    st.lists(st.tuples(st.floats(0, 30), st.integers(0, 2**32)), min_size=1, max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(FLOWS, max_size=8), st.lists(FRAMES, max_size=3, unique_by=lambda f: f.name))
def test_every_table_adds_up_to_the_totals(flows: list[Flow], frames: list[Frames]) -> None:
    report = a_report(flows, frames)
    packets = sum(len(f.packets) for f in flows) + sum(len(f.packets) for f in frames)
    wire = sum(w for f in flows for _, w, _ in f.packets) + sum(w for f in frames for _, w in f.packets)
    assert (report.totals["packets"], report.totals["wire_bytes"]) == (packets, wire)
    for section in ("components", "protocols", "timeline"):
        rows = report.rows(section)
        assert sum(row["packets"] for row in rows) == packets
        assert sum(row["wire_bytes"] for row in rows) == wire
    assert sum(row["flows"] for row in report.rows("components")) == len(flows)
    assert all(
        sums["packets"] <= row["packets"] for row in report.rows("components") for sums in row["grades"].values()
    )
    VALIDATOR.validate(report.to_dict(("flows", "timeline")))


def test_rows_are_made_without_pandas() -> None:
    script = (
        "import sys; sys.path.insert(0, 'tests'); from passes import site; r = site(); "
        "from classifier.render import json, csv; "
        "json.render(r, ['flows', 'timeline', 'quality']); csv.render(r); r.explain(0); r._repr_html_(); "
        "sys.exit(any(m in sys.modules for m in ('pandas', 'scapy', 'pyshark')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=ROOT).returncode == 0


def test_explain_says_what_the_label_rests_on() -> None:
    text = site().explain(0)
    assert "Flow 0: tcp 10.0.0.50:50000 -> 10.0.0.1:8600" in text
    assert "It belongs to digifort.server (Digifort Server), probable." in text
    assert "  - tcp port 8600, the responder listens" in text
    assert "it sent the SYN" in text
    assert "from 2024-05-03 08:13:20.250000 UTC to 2024-05-03 08:13:24.250000 UTC" in text
    assert "VLAN 12" in text
    assert "It is not given to digifort.web: port 80 of a host that is no Digifort server" in site().explain(3)
    assert "Inside vxlan." in site().explain(4)


@pytest.mark.parametrize("number", [-1, 5])
def test_a_flow_that_is_not_there(number: int) -> None:
    with pytest.raises(ValueError, match="flow ids are 0 to 4"):
        site().explain(number)
    with pytest.raises(ValueError, match="no flows"):
        EMPTY.packets(0)


def test_the_notebook_view_is_escaped() -> None:
    report = a_report([Flow(CLIENT, SERVER, "acme.<script>alert(1)</script>", [(0, 60, True)])])
    report.captures[0].path = "<img src=x onerror=alert(1)>.pcap"
    html = report._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;img" in html
    assert "1 packets" in html
    assert site()._repr_html_().count("<tr>") == 8


SAMPLES = sorted((ROOT / "captures").glob("*.pcap*"))
CORPUS = [pytest.param(path, marks=pytest.mark.corpus) for path in corpus_files()]


@pytest.mark.parametrize("path", [*SAMPLES, *CORPUS], ids=lambda path: path.name)
def test_of_a_real_capture_every_table_adds_up_and_fits_the_schema(path: Path) -> None:
    try:
        report = classifier.classify(path)
    except CaptureError:
        return
    document = report.to_dict(("flows", "timeline", "quality"))
    totals = report.totals
    for section in ("components", "protocols", "timeline"):
        for name in ("packets", "wire_bytes"):
            assert sum(row[name] for row in document[section]) == totals[name], (section, name)
    assert by(document["quality"], "measure")["packets_missing"]["value"] == 0
    for name in ("packets", "wire_bytes", "captured_bytes"):
        assert sum(capture[name] for capture in document["captures"]) == totals[name]
    seconds = (totals["duration_ns"] or S) / S
    for row in document["components"]:
        assert sum(report.trend(row["id"], 12)) / 12 * seconds / 8 == pytest.approx(row["wire_bytes"])
        assert row["p95_bps"] <= row["peak_bps"]
    for section in ("flows", "timeline", "hosts", "candidates"):
        document[section] = document[section][:200]  # the validator is slow
    VALIDATOR.validate(document)
    for flow in document["flows"][:5]:
        assert str(flow["component"]) in report.explain(flow["flow_id"])


def test_the_package_is_lazy_and_has_one_version() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert classifier.__version__ == project["version"] == site().to_dict()["generator"]["version"]
    assert {"classify", "Report", "errors", "__version__"} <= set(dir(classifier))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = classifier.nothing
