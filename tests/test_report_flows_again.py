"""Looking at single flows of the sample captures: scapy, pyshark, slices."""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

import classifier
from classifier import inspect
from classifier.errors import CaptureError

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


@pytest.fixture(scope="module")
def report() -> Any:
    return classifier.classify(CAPTURES / "digifort_site.pcapng")


def largest(report: Any, component: str) -> dict[str, Any]:
    rows = [row for row in report.rows("flows") if row["component"] == component]
    return max(rows, key=lambda row: row["orig_packets"] + row["resp_packets"])


def children() -> set[str]:
    """Processes that this one has started and that have not been waited for."""
    return set(Path("/proc/thread-self/children").read_text(encoding="ascii").split())


def test_packets_are_the_flows_packets(report: Any) -> None:
    flow = largest(report, "digifort.server")
    found = report.packets(flow["flow_id"])
    assert len(found) == flow["orig_packets"] + flow["resp_packets"]
    assert sum(packet.wirelen for packet in found) == flow["orig_wire_bytes"] + flow["resp_wire_bytes"]
    ends = {(p["IP"].src, p["TCP"].sport) for p in found}
    assert ends == {(flow["orig_address"], flow["orig_port"]), (flow["resp_address"], flow["resp_port"])}
    assert int(found[0].time * 10**9) == flow["first_ns"]
    assert f"record {flow['first_record']} of ".encode() in found[0].comment
    assert len(inspect.packets(report, flow["flow_id"], limit=3)) == 3


def test_fragments_belong_to_their_flow(report: Any) -> None:
    fragments = report.facts.read.flows.fragments
    number = int(fragments.argmax())
    found = report.packets(number)
    pieces = [packet for packet in found if packet["IP"].frag or packet["IP"].flags.MF]
    assert len(pieces) == fragments[number] > 0
    assert any(packet["IP"].frag for packet in pieces)


def test_ssrp_has_our_layer() -> None:
    report = classifier.classify(CAPTURES / "digital_sentry_site.pcap")
    flow = largest(report, "digital_sentry.sql_discovery")
    said = [record for p in report.packets(flow["flow_id"]) if p["SSRP"].type == 5 for record in p["SSRP"].instances()]
    learned = report.rows("learned")[0]
    assert (learned["instance"], learned["version"], learned["port"]) in [record[1:] for record in said]


@pytest.mark.parametrize("name", ["out.pcapng", "out.pcap"])
def test_a_slice_holds_the_flows_and_reads_back(report: Any, tmp_path: Path, name: str) -> None:
    flows = [largest(report, "digifort.server"), largest(report, "digifort.multicast_media")]
    count = report.slice([flow["flow_id"] for flow in flows], tmp_path / name)
    again = classifier.classify(tmp_path / name)
    assert again.captures[0].packets == count
    assert again.complete
    assert again.captures[0].problems == []
    kept = ("orig_address", "orig_port", "resp_address", "resp_port", "first_ns", "last_ns", "orig_packets",
            "resp_packets", "orig_wire_bytes", "resp_wire_bytes")  # fmt: skip
    ours = sorted([{key: flow[key] for key in kept} for flow in flows], key=str)
    assert sorted([{key: row[key] for key in kept} for row in again.rows("flows")], key=str) == ours
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_a_slice_of_one_flow_and_of_none(report: Any, tmp_path: Path) -> None:
    flow = largest(report, "digifort.server")
    assert report.slice(flow["flow_id"], tmp_path / "one.pcapng") == flow["orig_packets"] + flow["resp_packets"]
    for name in ("none.pcapng", "none.pcap"):
        assert report.slice([], tmp_path / name) == 0
        assert classifier.classify(tmp_path / name).totals["packets"] == 0


def test_a_slice_does_not_overwrite_its_capture(tmp_path: Path) -> None:
    path = tmp_path / "site.pcapng"
    shutil.copy(CAPTURES / "digifort_site.pcapng", path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="choose another file"):
        classifier.classify(path).slice([0], path)
    assert path.read_bytes() == before


def test_a_pcap_slice_of_several_link_types_is_refused(
    report: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = [(0, 1, 10**18, 1, 60, bytes(60)), (0, 2, 10**18, 101, 40, bytes(40))]
    monkeypatch.setattr(inspect, "records", lambda *_: iter(two))
    with pytest.raises(ValueError, match=r"use \.pcapng"):
        report.slice([0], tmp_path / "out.pcap")
    assert list(tmp_path.iterdir()) == []
    assert report.slice([0], tmp_path / "out.pcapng") == 2
    assert classifier.classify(tmp_path / "out.pcapng").captures[0].link_types == ["ETHERNET", "RAW"]


def test_a_capture_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "site.pcapng"
    shutil.copy(CAPTURES / "digifort_site.pcapng", path)
    report = classifier.classify(path)
    path.unlink()
    with pytest.raises(CaptureError, match=r"site\.pcapng"):
        report.packets(0)


def test_standard_input_cannot_be_read_again() -> None:
    report = classifier.classify(io.BytesIO((CAPTURES / "digifort_site.pcapng").read_bytes()))
    with pytest.raises(CaptureError, match="save it to a file"):
        report.packets(0)


@pytest.mark.tshark
@needs_tshark
def test_tshark_reads_a_slice_as_we_do(report: Any, tmp_path: Path) -> None:
    flow = largest(report, "digifort.media_input")
    for name in ("out.pcapng", "out.pcap"):
        report.slice(flow["flow_id"], tmp_path / name)
        out = subprocess.run(
            ["tshark", "-r", str(tmp_path / name), "-T", "fields", "-e", "frame.len", "-e", "frame.time_epoch"],
            capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        assert sum(map(int, out[::2])) == flow["orig_wire_bytes"] + flow["resp_wire_bytes"]
        seconds, _, rest = out[1].partition(".")
        assert int(seconds + rest.ljust(9, "0")) == flow["first_ns"]


@pytest.mark.tshark
@needs_tshark
def test_dissect_gives_pyshark_packets_and_leaves_nothing_running(report: Any) -> None:
    flow = largest(report, "digifort.http_api")
    before = children()
    found = report.dissect(flow["flow_id"])
    assert len(found) == flow["orig_packets"] + flow["resp_packets"]
    assert {packet.ip.src for packet in found} == {flow["orig_address"], flow["resp_address"]}
    assert children() == before
    assert not [t for t in threading.enumerate() if t.name == "vms-classifier-dissect"]


@pytest.mark.tshark
@needs_tshark
def test_dissect_works_where_a_loop_runs_and_takes_options(report: Any) -> None:
    flow = largest(report, "digifort.http_api")

    async def notebook_cell() -> Any:
        return inspect.dissect(report, flow["flow_id"], display_filter="tcp.flags.syn == 1")

    found = asyncio.run(notebook_cell())
    assert 1 <= len(found) <= 2


def test_without_tshark_dissect_says_what_to_do(report: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(inspect.ToolMissingError, match="install Wireshark"):
        report.dissect(0)


def test_a_failure_in_the_thread_is_raised_here() -> None:
    def broken() -> None:
        raise RuntimeError("in the thread")

    with pytest.raises(RuntimeError, match="in the thread"):
        inspect._in_thread(broken)
