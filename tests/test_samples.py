"""The sample captures are what their makers make, what other programs read, and what their truth says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from oracles import scapy_counts

HERE = Path(__file__).resolve().parent
CAPTURES = HERE.parent / "captures"
if str(CAPTURES) not in sys.path:
    sys.path.insert(0, str(CAPTURES))

from makers import digifort, digital_sentry, neighbours  # noqa: E402
from makers.files import capture_bytes  # noqa: E402
from makers.truth import truth_of, truth_text  # noqa: E402

MADE = {"digifort_site": digifort, "digital_sentry_site": digital_sentry, "neighbours": neighbours}
ALL = [*MADE, "recorded_site"]


def truth_by_name(name: str) -> dict[str, Any]:
    """The checked-in truth."""
    truth: dict[str, Any] = json.loads((CAPTURES / "truth" / f"{name}.json").read_text(encoding="utf-8"))
    return truth


def capture_by_name(name: str) -> Path:
    """The checked-in capture."""
    return CAPTURES / truth_by_name(name)["capture"]


@pytest.mark.parametrize("name", MADE)
def test_makers_reproduce_the_checked_in_bytes(name: str) -> None:
    site = MADE[name].build()
    assert capture_bytes(site) == capture_by_name(name).read_bytes()
    assert truth_text(site) == (CAPTURES / "truth" / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MADE)
def test_another_seed_makes_another_capture_of_the_same_kind(name: str) -> None:
    module = MADE[name]
    site = module.build(module.Options(seed=7, seconds=60))
    assert capture_bytes(site) != capture_by_name(name).read_bytes()
    assert set(truth_of(site)["components"]) == set(truth_by_name(name)["components"])  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ALL)
def test_truth_totals_are_what_scapy_counts(name: str) -> None:
    totals = truth_by_name(name)["totals"]
    counts = scapy_counts(capture_by_name(name))
    assert (counts.packets, counts.wire_bytes) == (totals["packets"], totals["wire_bytes"])


@pytest.mark.parametrize("name", ALL)
def test_component_rows_sum_to_the_totals(name: str) -> None:
    truth = truth_by_name(name)
    for measure in ("packets", "wire_bytes", "flows"):
        assert sum(row[measure] for row in truth["components"].values()) == truth["totals"][measure]


@pytest.mark.parametrize("name", MADE)
def test_flows_of_the_truth_sum_to_its_components(name: str) -> None:
    truth = truth_by_name(name)
    for component, row in truth["components"].items():
        flows = [flow for flow in truth["flows"] if flow["component"] == component]
        assert len(flows) == row["flows"]
        if flows and component != "network.arp":
            assert sum(flow["orig_packets"] + flow["resp_packets"] for flow in flows) == row["packets"]
            assert sum(flow["orig_wire_bytes"] + flow["resp_wire_bytes"] for flow in flows) == row["wire_bytes"]


def test_every_row_of_both_documents_is_in_use() -> None:
    digifort_rows = {
        "server", "http_api", "web", "media_input", "announcement", "multicast_media", "upnp_discovery",
        "analytics", "lpr",
    }  # fmt: skip
    sentry_rows = {"sql", "sql_discovery", "diagnostics", "video", "mobile", "audio"}
    assert {f"digifort.{row}" for row in digifort_rows} <= set(truth_by_name("digifort_site")["components"])
    assert {f"digital_sentry.{row}" for row in sentry_rows} <= set(truth_by_name("digital_sentry_site")["components"])


def test_neighbours_have_no_product_at_all() -> None:
    truth = truth_by_name("neighbours")
    assert not [name for name in truth["components"] if name.startswith(("digifort.", "digital_sentry."))]
    words = " ".join(role for host in truth["hosts"].values() for role in host["roles"])
    assert not re.search(r"Digifort|Digital Sentry|Pelco|ControlPoint", words)


def test_samples_are_small() -> None:
    for name in ALL:
        assert capture_by_name(name).stat().st_size < 500_000


def test_no_credential_in_a_sample_but_the_fake_one() -> None:
    for name in ALL:
        content = capture_by_name(name).read_bytes()
        assert set(re.findall(rb"AuthPass=([^& \r\n]*)", content)) <= {b"REDACT-ME"}
        assert set(re.findall(rb"Basic ([A-Za-z0-9+/=]{8,})", content)) <= {b"UkVEQUNULU1FOlJFREFDVC1NRQ=="}


CHECKSUMS = [f"{layer}.check_checksum:TRUE" for layer in ("ip", "tcp", "udp")]


@pytest.mark.tshark
@pytest.mark.parametrize("name", ALL)
def test_tshark_finds_nothing_malformed_and_no_wrong_checksum(name: str) -> None:
    command = ["tshark", "-n", "-r", str(capture_by_name(name))]
    if name == "recorded_site":  # without RTSP tshark takes 3000 for DIS
        command += ["-d", "udp.port==3000,rtp", "-d", "udp.port==3001,rtcp"]
    for preference in CHECKSUMS:
        command += ["-o", preference]
    if name == "digital_sentry_site":
        command += ["-d", f"tcp.port=={digital_sentry.PORTS['sql']},tds"]
    wrong = "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0"
    bad = f"_ws.malformed || _ws.expert.severity >= 0x00800000 || {wrong}"
    done = subprocess.run([*command, "-Y", bad], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == ""
    # and the filter can find something: an ordinary expression selects packets
    done = subprocess.run([*command, "-Y", "arp"], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.count("\n") > 5


@pytest.mark.tshark
def test_tshark_sees_the_protocols_that_the_makers_meant() -> None:
    expected = {
        "digifort_site": {"stp", "lldp", "arp", "dns", "ntp", "rtsp", "rtp", "rtcp", "igmp", "ssdp", "http", "icmp"},
        "digital_sentry_site": {"vlan", "tls", "tds", "dns", "ntp", "arp", "stp", "lldp", "icmp"},
        "neighbours": {
            "stun", "bfd", "esp", "rdpudp", "vxlan", "mdns", "llmnr", "ssdp", "tds", "modbus", "ssh", "icmpv6", "tls",
        },
    }  # fmt: skip
    for name, protocols in expected.items():
        command = ["tshark", "-n", "-r", str(capture_by_name(name)), "-T", "fields", "-e", "frame.protocols"]
        command += ["-d", f"tcp.port=={digital_sentry.PORTS['sql']},tds"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        seen = {layer for line in done.stdout.split() for layer in line.split(":")}
        assert protocols <= seen, name


@pytest.mark.tshark
def test_recorded_truth_is_what_tshark_counts() -> None:
    import record_truth

    fresh = json.loads(json.dumps(record_truth.truth_of_recording(capture_by_name("recorded_site"))))
    assert fresh == truth_by_name("recorded_site")
