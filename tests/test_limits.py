"""Every limit on memory: what is beyond it is counted, said in the report with a number, and the sums stay exact."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from capture_files import T0, enhanced, interface, option, pcap_header, pcap_record, read, section
from hostile import ROOT
from test_flows import packet, rows_of, tallied

from classifier import engine
from classifier.capture import model
from classifier.capture.blocks import MAX_OPTIONS
from classifier.flows.state import KIND_SSRP, SIDE_LIMITS
from classifier.flows.tally import Tally, join_bins
from classifier.limits import MOST_FLOWS, Limits
from classifier.render import json as as_json
from classifier.render import text

SPEEDS = pytest.mark.parametrize("compiled", [False, True], ids=["interpreted", "compiled"])
SAMPLE = ROOT / "captures" / "digifort_site.pcapng"
ACK, SYN = 16, 2


def ipv4(proto: int, source: int, target: int, payload: bytes) -> bytes:
    head = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(payload), 0, 0, 64, proto, 0, source, target)
    return bytes(12) + b"\x08\x00" + head + payload


def joins(host: int, group: int) -> bytes:
    return ipv4(2, host, group, struct.pack(">BBHI", 0x16, 0, 0, group))


def sql_reply(port: int, host: int = 0x0A000003, asker: int = 50000) -> bytes:
    said = f"ServerName;W;InstanceName;A;IsClustered;No;Version;8.00.194;tcp;{port};;".encode()
    said = b"\x05" + len(said).to_bytes(2, "little") + said
    return ipv4(17, host, 0x0A000004, struct.pack(">HHHH", 1434, asker, 8 + len(said), 0) + said)


def tcp(source: int, port: int, flags: int, seq: int = 0) -> bytes:
    return ipv4(6, source, 0x0A000001, struct.pack(">HHIIBBHHH", port, 80, seq, 0, 0x50, flags, 0, 0, 0))


def capture(frames: list[bytes], start: int = T0, step_us: int = 1000) -> bytes:
    return pcap_header() + b"".join(
        pcap_record(frame, start + i * step_us // 1_000_000, i * step_us % 1_000_000) for i, frame in enumerate(frames)
    )


def classified(frames: list[bytes], compiled: bool = False, **limits: int) -> Any:
    return engine.classify(io.BytesIO(capture(frames)), compiled=compiled, limits=Limits(**limits))


def problems(report: Any) -> list[tuple[str, int]]:
    """Codes, and the number that each message begins with."""
    return [(p.code, int(p.message.split()[0].replace(",", ""))) for p in report.problems]


def test_limits_are_checked() -> None:
    assert Limits(flows=MOST_FLOWS).room_for_bins >= 4 * MOST_FLOWS
    for wrong in ({"flows": 0}, {"flows": MOST_FLOWS + 1}, {"bins": 0}, {"payloads": 0}, {"facts": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Limits(**wrong)


@SPEEDS
def test_packets_beyond_the_flow_cap_share_a_row_per_protocol(compiled: bool) -> None:
    frames = [tcp(0x0A000100 + i, 2000, ACK) for i in range(5)] + [joins(0x0A000100 + i, 0xE1010101) for i in range(4)]
    report = classified(frames * 2, compiled, flows=3)
    assert problems(report) == [("flow_cap", 12)]
    assert [(row["protocol"], row["orig_packets"] + row["resp_packets"]) for row in report.rows("flows")] == [
        ("tcp", 2), ("tcp", 2), ("tcp", 2), ("tcp", 4), ("igmp", 8)
    ]  # fmt: skip
    assert report.totals["wire_bytes"] == 2 * sum(map(len, frames))


@SPEEDS
def test_a_new_connection_that_finds_the_table_full_is_counted_with_the_one_before(compiled: bool) -> None:
    frames = [tcp(0x0A000100, 2000, SYN, seq) for seq in (1, 1, 2, 3)]
    report = classified(frames, compiled, flows=1)
    assert problems(report) == [("flow_cap", 2)]
    assert "connections" in report.problems[0].message
    assert report.totals["packets"] == 4
    assert [row["orig_packets"] for row in report.rows("flows")] == [4]


@SPEEDS
def test_evidence_in_packets_beyond_the_flow_cap_keeps_its_hosts(compiled: bool) -> None:
    """The row has no addresses, the packet does."""
    report = classified([tcp(1, 1, ACK), joins(0x0A000105, 0xE1010101), sql_reply(50123)], compiled, flows=1)
    assert [said.host for said in report.facts.read.memberships] == ["10.0.1.5"]
    assert [(said.address, said.port) for said in report.facts.read.learned] == [("10.0.0.3", 50123)]


@pytest.mark.parametrize("step", [50, 333, 4096])
def test_bins_over_all_times_end_as_one_per_flow_in_any_batch_size(step: int) -> None:
    """Ten thousand bins of 40 flows from 1970 to 2262 cannot be kept at any width below."""
    rows = np.repeat(rows_of([packet()]), 10_000)
    rows["src3"] = 1 + np.arange(len(rows)) % 40
    rows["ts_ns"] = np.random.default_rng(1).integers(0, 2**63 - 1, len(rows))
    tally = Tally(compiled=True, max_bins=80, max_flows=100)
    for start in range(0, len(rows), step):
        part = rows[start : start + step].copy()
        tally.update(part, len(part))
        assert len(tally.bins) < 80 + 3 * max(step, 4096)
    _, bins = tally.finish()
    assert len(join_bins(bins, tally.bin_width_ns)) == 40
    assert tally.bin_width_ns == 2**63 - 1
    assert int(bins["packets"].sum()) == 10_000


def test_the_width_of_bins_does_not_depend_on_the_batch_size() -> None:
    rows = np.repeat(rows_of([packet()]), 6000)
    rows["ts_ns"] = 1_700_000_000_000_000_000 + np.random.default_rng(2).integers(0, 10**15, len(rows))
    found = set()
    for step in (1, 7, 100, 1999, 4096):
        tally = tallied(rows, compiled=True, step=step, max_bins=2000, max_flows=10)
        bins = join_bins(tally.finish()[1], tally.bin_width_ns)
        found.add((tally.bin_width_ns, bins.tobytes()))
    assert len(found) == 1
    assert found.pop()[0] > 10**9


@SPEEDS
def test_a_port_that_changes_late_in_a_busy_flow_is_learned(compiled: bool) -> None:
    """A client may ask from one port for weeks."""
    frames = [sql_reply(1433)] * 200 + [sql_reply(50123)]
    assert [said.port for said in classified(frames, compiled).facts.read.learned] == [1433, 50123]


@SPEEDS
def test_replies_beyond_what_one_flow_may_hand_over_are_counted(compiled: bool) -> None:
    report = classified([sql_reply(1433)] * (SIDE_LIMITS[KIND_SSRP] + 30) + [sql_reply(1500, asker=50001)], compiled)
    assert problems(report) == [("evidence_cap", 30)]
    assert [said.port for said in report.facts.read.learned] == [1433, 1500]  # the other flow has its own share


@SPEEDS
@pytest.mark.parametrize("limit", [{"payloads": 3}, {"facts": 3}])
def test_payloads_beyond_the_limits_are_counted(compiled: bool, limit: dict[str, int]) -> None:
    report = classified([joins(0x0A000100 + i, 0xE1010101) for i in range(10)], compiled, **limit)
    assert problems(report) == [("evidence_cap", 7)]
    assert len(report.facts.read.memberships) == 3


@SPEEDS
def test_overlapping_captures_lose_no_evidence(compiled: bool, tmp_path: Path) -> None:
    """Where captures overlap, more than a batch of packets is counted at once: all of them may be evidence."""
    count = 3000
    names = []
    for number in range(3):
        frames = [
            joins(0x0A000000 + number * 4096 + i, 0xE1010101) if i % 2 else sql_reply(10_000 + i, 0x0A010000 + i)
            for i in range(count)
        ]
        names.append(tmp_path / f"{number}.pcap")
        names[-1].write_bytes(capture(frames, step_us=100))
    report: Any = engine.classify(names, compiled=compiled)
    assert report.problems == []
    said = report.facts.read.memberships
    assert len({(m.host, m.capture) for m in said}) == len(said) == 3 * count // 2
    assert len(report.facts.read.learned) == count // 2


def test_roles_of_hosts_that_are_left_out_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = engine.classify(SAMPLE)
    there_are = sum(len(words) for words in everything.facts.labels.roles.values())
    assert everything.problems == []
    monkeypatch.setattr("classifier.matching.roles.MAX_ROLES", 1)
    report = engine.classify(SAMPLE)
    ((code, left_out),) = problems(report)
    assert code == "role_cap"
    assert left_out >= there_are - 1
    document = json.loads(as_json.render(report))
    assert [problem["code"] for problem in document["problems"]] == ["role_cap"]
    assert "roles of hosts left out" in text.render(report, ())


def test_options_beyond_those_looked_at_are_a_problem() -> None:
    unknown = option(9999, b"") * MAX_OPTIONS
    named = option(2, b"eth0")
    frame = bytes(60)
    _, info = read(section() + interface(options=named + unknown[4:]) + enhanced(frame))
    assert info.problems == []
    _, info = read(section(options=unknown + named) + interface(options=unknown + named) * 2 + enhanced(frame))
    (problem,) = info.problems
    assert (problem.code, problem.message.split(";")[0]) == ("limit", f"3 blocks with more than {MAX_OPTIONS} options")
    assert info.complete


def test_comments_of_one_block_are_kept_like_those_of_many() -> None:
    comments = b"".join(option(1, b"%d" % i) for i in range(model.MAX_COMMENTS + 5))
    _, info = read(section(options=comments) + interface() + enhanced(bytes(60)))
    assert [comment.text for comment in info.comments] == [str(i) for i in range(model.MAX_COMMENTS)]
    assert [problem.code for problem in info.problems] == ["limit"]


def test_the_option_max_flows() -> None:
    command = [sys.executable, "-m", "classifier", str(SAMPLE), "--format", "json", "--section", "flows"]
    done = subprocess.run([*command, "--max-flows", "5"], capture_output=True, cwd=ROOT, timeout=120, check=True)
    document = json.loads(done.stdout)
    codes = [problem["code"] for problem in document["problems"]]
    assert codes and codes[0] == "flow_cap" and set(codes) <= {"flow_cap", "evidence_cap"}
    shared = [row for row in document["flows"] if row["orig_address"] == row["resp_address"] == "0.0.0.0"]
    assert shared
    for row in shared:  # what one flow shows says nothing of the others in the row
        assert row["component"].startswith(("unclassified.", "network."))
    assert b"flows than the 5 that are kept" in done.stderr
    whole = engine.classify(SAMPLE).totals
    assert {key: document["totals"][key] for key in ("packets", "wire_bytes")} == {
        key: whole[key] for key in ("packets", "wire_bytes")
    }
    for wrong in ("0", "x"):
        done = subprocess.run([*command, "--max-flows", wrong], capture_output=True, cwd=ROOT, timeout=120, check=False)
        assert done.returncode == 2


def test_the_packets_of_a_flow_are_found_again_under_the_same_limits() -> None:
    report = engine.classify(SAMPLE, limits=Limits(flows=5))
    for row in report.rows("flows"):
        again = list(engine.flow_records(report.facts.read, [row["flow_id"]]))
        assert len(again) == row["orig_packets"] + row["resp_packets"]
