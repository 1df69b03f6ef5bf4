"""Streams whose fate is known: the table of streams shows every figure exactly as the sender's own numbers have it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import classifier

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT / "captures") not in sys.path:
    sys.path.insert(0, str(ROOT / "captures"))

from makers.files import pcap_bytes  # noqa: E402
from makers.site import MS, US, S  # noqa: E402
from makers.streams import Capture, Fate, Truth, Way, pictures, restarted, sound, transport, unsteady  # noqa: E402


def rows_of(capture: Capture, folder: Path, **options: Any) -> list[dict[str, Any]]:
    """The product's answer, in the order of the truths."""
    path = folder / "streams.pcap"
    path.write_bytes(pcap_bytes(capture.site))
    rows = classifier.classify(path, **options).rows("streams")
    found = {(row["ssrc"], row["sender_address"], row["receiver_address"], row["receiver_port"]): row for row in rows}
    keys = [(f"0x{truth.ssrc:08x}", truth.src, truth.dst, truth.dport) for truth in capture.truths]
    assert sorted(found) == sorted(keys)
    return [found[key] for key in keys]


TICK_MS = 1 / 90 + 1e-6
"""Where packets come between two ticks, the product's clock is a whole number of them."""


def check(truth: Truth, row: dict[str, Any], *, jitter: bool = True, within_ms: float = 1e-6) -> None:
    """Every figure that is the same for all kinds of streams."""
    expected = {
        "sender_port": truth.sport, "receiver_port": truth.dport, "payload_type": truth.payload_type,
        "clock_rate": truth.clock, "packets": truth.packets, "expected": truth.expected, "lost": truth.missing,
        "duplicates": truth.duplicates, "reordered": truth.reordered, "restarts": truth.restarts, "refused": 0,
        "longest_burst_lost": truth.longest_gap, "first_ns": truth.first_ns, "last_ns": truth.last_ns,
        "frames": truth.pictures, "loss": round(truth.missing / truth.expected, 9),
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row["longest_silence_s"] == pytest.approx(truth.silence_ns / S, abs=1e-9)
    if truth.wire_bytes:
        assert row["wire_bytes"] == truth.wire_bytes
    if jitter:
        for prefix, per_picture in (("", False), ("frame_", True)):
            _, mean, most = truth.jitter_ms(per_picture=per_picture)
            assert row[f"{prefix}jitter_ms"] == pytest.approx(mean, abs=within_ms), prefix
            assert row[f"max_{prefix}jitter_ms"] == pytest.approx(most, abs=within_ms), prefix


def check_keys(truth: Truth, row: dict[str, Any]) -> None:
    keys = truth.keys_ns
    assert row["key_frames"] == len(keys)
    assert row["key_frame_seconds"] == pytest.approx((keys[-1] - keys[0]) / (len(keys) - 1) / S)


FATES: dict[str, Fate] = {
    "nothing": Fate(),
    "single packets lost": Fate(lost=frozenset(range(10, 300, 37))),
    "bursts lost": Fate(lost=frozenset([*range(20, 34), *range(100, 103), *range(200, 260)])),
    "lost where nobody can know": Fate(lost=frozenset([0, 1, 2, 321, 322, 323])),
    "out of order": Fate(late={40: 300 * US, 90: 500 * US, 150: 41 * MS}),
    "the first packets out of order": Fate(late={0: 300 * US, 1: 41 * MS}),
    "the first one late, another before it lost": Fate(lost=frozenset([0, 3]), late={2: 300 * US, 1: 500 * US}),
    "lost and out of order": Fate(lost=frozenset([39, 41, 150]), late={40: 300 * US, 151: 100 * MS}),
    "a mirror's copies": Fate(mirrored=dict.fromkeys(range(324), 1 * US)),
    "copies behind a router": Fate(routed=dict.fromkeys(range(324), 20 * US)),
    "sent again": Fate(resent={30: 10 * MS, 31: 10 * MS, 200: 60 * MS}),
    "copies do not make up for losses": Fate(
        lost=frozenset(range(50, 60)), mirrored=dict.fromkeys(range(80, 90), 2 * US)
    ),
}


@pytest.mark.parametrize("fate", FATES)
def test_a_fate_in_figures(fate: str, tmp_path: Path) -> None:
    capture = Capture()
    truth = capture.add(pictures(100), fate=FATES[fate])
    (row,) = rows_of(capture, tmp_path)
    copies = {**FATES[fate].mirrored, **FATES[fate].routed}
    check(truth, row, jitter=not FATES[fate].late, within_ms=TICK_MS if copies else 1e-6)
    assert (row["kind"], row["codec"], row["transport"]) == ("rtp", "H264", "udp")


WRAPS: dict[str, Callable[[], Any]] = {
    "sequence numbers": lambda: pictures(100, number=65_500),
    "time stamps": lambda: pictures(100, stamp=2**32 - 100_000),
    "both, at the first packet": lambda: pictures(100, number=65_535, stamp=2**32 - 3_600),
    "sequence numbers twice": lambda: sound(65_560, number=65_530),
}


@pytest.mark.parametrize("wrap", WRAPS)
def test_numbers_run_over(wrap: str, tmp_path: Path) -> None:
    capture = Capture()
    is_sound = "twice" in wrap
    kind: dict[str, int] = {"payload_type": 0, "clock": 8000} if is_sound else {}
    truth = capture.add(WRAPS[wrap](), fate=Fate(lost=frozenset([33, 36, 70])), **kind)
    (row,) = rows_of(capture, tmp_path)
    check(truth, row)


def test_numbers_run_over_between_first_packets_that_come_out_of_order(tmp_path: Path) -> None:
    capture = Capture()
    truth = capture.add(pictures(100, number=65_535), fate=Fate(late={0: 300 * US}))
    (row,) = rows_of(capture, tmp_path)
    check(truth, row, jitter=False)
    assert (row["expected"], row["lost"], row["reordered"], row["refused"]) == (truth.packets, 0, 1, 0)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("batch", [1, 7, 4096])
def test_figures_do_not_depend_on_batches_or_speed(batch: int, compiled: bool, tmp_path: Path) -> None:
    capture = Capture()
    fate = Fate(lost=frozenset([30, 31, 80]), mirrored={20: US}, late={50: 300 * US})
    truth = capture.add(pictures(60, number=65_450), fate=fate)
    (row,) = rows_of(capture, tmp_path, batch=batch, compiled=compiled)
    check(truth, row, jitter=False)


def test_pictures_key_pictures_and_rate(tmp_path: Path) -> None:
    capture = Capture()
    truth = capture.add(pictures(126, key_every=25))
    (row,) = rows_of(capture, tmp_path)
    check(truth, row)
    check_keys(truth, row)
    assert row["frames_per_second"] == pytest.approx(25, rel=1e-3)
    seconds = (truth.last_ns - truth.first_ns) / S
    assert row["mean_bps"] == pytest.approx(truth.wire_bytes * 8 / seconds, rel=1e-6)


def test_sound_by_the_static_table(tmp_path: Path) -> None:
    capture = Capture()
    truth = capture.add(sound(250), fate=Fate(lost=frozenset([100])), payload_type=0, clock=8000)
    (row,) = rows_of(capture, tmp_path)
    check(truth, row)
    assert (row["codec"], row["codec_basis"], row["clock_basis"]) == ("PCMU", "static", "static")
    assert row["key_frames"] is None


@pytest.mark.parametrize("delays", [(0, 10 * MS), (0, 0, 0, 30 * MS), (0, 5 * MS, 2 * MS, 20 * MS, 1 * MS)])
def test_jitter_of_pictures(delays: tuple[int, ...], tmp_path: Path) -> None:
    capture = Capture()
    truth = capture.add(unsteady(pictures(200), delays))
    (row,) = rows_of(capture, tmp_path)
    check(truth, row)
    assert row["frame_jitter_ms"] > 3


def test_jitter_of_sound(tmp_path: Path) -> None:
    capture = Capture()
    truth = capture.add(unsteady(sound(300), (0, 4 * MS, 1 * MS)), payload_type=8, clock=8000)
    (row,) = rows_of(capture, tmp_path)
    check(truth, row)
    assert row["jitter_ms"] == pytest.approx(row["frame_jitter_ms"])


def test_a_sender_that_begins_anew(tmp_path: Path) -> None:
    capture = Capture()
    truth = capture.add(restarted(pictures(50), pictures(50, number=40_000, stamp=5_000_000)))
    (row,) = rows_of(capture, tmp_path)
    check(truth, row, jitter=False)
    assert row["restarts"] == 1


def test_two_sources_in_one_flow(tmp_path: Path) -> None:
    capture = Capture()
    video = capture.add(pictures(100), fate=Fate(lost=frozenset([50])), ssrc=1)
    audio = capture.add(sound(200), fate=Fate(lost=frozenset([7, 8])), ssrc=2, payload_type=0, clock=8000)
    rows = rows_of(capture, tmp_path)
    check(video, rows[0])
    check(audio, rows[1])
    assert rows[0]["flow_id"] == rows[1]["flow_id"]


WAYS = {
    "multicast": Way(dst="225.5.10.1", dport=1025, ttl=4),
    "in a VLAN": Way(vlan=130),
    "in VXLAN": Way(vxlan=True),
    "any port": Way(sport=53_001, dport=61_234),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_way_changes_no_figure(way: str, tmp_path: Path) -> None:
    capture = Capture()
    truth = capture.add(pictures(100), WAYS[way], FATES["bursts lost"])
    (row,) = rows_of(capture, tmp_path)
    check(truth, row)


def test_interleaved_in_rtsp(tmp_path: Path) -> None:
    capture = Capture()
    truth = capture.add_interleaved(pictures(100))
    (row,) = rows_of(capture, tmp_path)
    check(truth, row)
    assert (row["transport"], row["direction"], row["codec"], row["codec_basis"]) == ("tcp", "resp", "H264", "sdp")


def test_continuity_counters_in_rtp(tmp_path: Path) -> None:
    capture = Capture()
    truth = capture.add(transport(100, skipped={40: 2, 101: 1, 300: 5}), payload_type=33)
    (row,) = rows_of(capture, tmp_path)
    check(truth, row)
    assert (row["codec"], row["pids"], row["cc_errors"]) == ("MP2T", [256, 257], 3)
    assert sum(truth.continuity_lost.values()) == 8


def test_a_lost_packet_breaks_the_counters_of_what_it_held(tmp_path: Path) -> None:
    capture = Capture()
    capture.add(transport(100), fate=Fate(lost=frozenset([50])), payload_type=33)
    (row,) = rows_of(capture, tmp_path)
    assert (row["lost"], row["cc_errors"]) == (1, 2)  # of both PIDs


@pytest.mark.parametrize("kind", ["mirrored", "routed", "resent"])
def test_copies_of_a_transport_stream_in_rtp_break_no_counter(kind: str, tmp_path: Path) -> None:
    capture = Capture()
    later = {"mirrored": US, "routed": 2 * US, "resent": 20 * MS + US}[kind]
    fate = Fate(lost=frozenset([20]), **{kind: dict.fromkeys(range(20, 100), later)})
    capture.add(transport(100), fate=fate, payload_type=33)
    (row,) = rows_of(capture, tmp_path)
    assert (row["lost"], row["duplicates"], row["cc_errors"]) == (1, 79, 2)


def bare_transport(folder: Path, datagrams: list[tuple[int, bytes]], **options: Any) -> dict[str, Any]:
    """The row of a transport stream in UDP without RTP: (time, payload) of its datagrams."""
    capture = Capture()
    for place, (at, data) in enumerate(sorted(datagrams)):
        capture._record(at, Way().frame(data, place, 0))
    path = folder / "transport.pcap"
    path.write_bytes(pcap_bytes(capture.site))
    (row,) = classifier.classify(path, **options).rows("streams")
    assert (row["kind"], row["packets"]) == ("mpegts", len(datagrams))
    return dict(row)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("later", [US, 15 * MS, 25 * MS])  # at once, behind the next one, behind two others
def test_copies_of_bare_transport_datagrams_break_no_counter(later: int, compiled: bool, tmp_path: Path) -> None:
    sent = [(packet.at, packet.data) for packet in transport(100, skipped={40: 2, 300: 5})]
    twice = [(at + later, data) for at, data in sent]
    assert bare_transport(tmp_path, [*sent, *twice], compiled=compiled)["cc_errors"] == 2


def test_a_datagram_with_other_content_is_no_copy(tmp_path: Path) -> None:
    """The counters are the same again, the payload is not: sixteen packets of each PID are missing between them."""
    sent = [(packet.at, packet.data) for packet in transport(60, pids=(256,))]
    other = transport(60, pids=(256,), seed=9)
    sent[30:] = [(packet.at, packet.data) for packet in other[29:59]]
    assert bare_transport(tmp_path, sent)["cc_errors"] == 1


@pytest.mark.parametrize("kept", [46, 60])  # bytes of a frame: 4, 18 of the first cell
def test_cut_transport_datagrams_are_no_copies_of_each_other(kept: int, tmp_path: Path) -> None:
    capture = Capture()
    for place, packet in enumerate(transport(40, pids=(256,))):
        if place % 10 != 3:
            capture._record(packet.at, Way().frame(packet.data, place, 0))
    path = tmp_path / "cut.pcap"
    whole = pcap_bytes(capture.site)
    out, at = [whole[:24]], 24
    while at < len(whole):
        size = int.from_bytes(whole[at + 8 : at + 12], "little")
        out += [whole[at : at + 8], min(kept, size).to_bytes(4, "little"), whole[at + 12 : at + 16 + min(kept, size)]]
        at += 16 + size
    path.write_bytes(b"".join(out))
    rows = classifier.classify(path).rows("streams")
    assert [row["cc_errors"] for row in rows] == [35]  # only the first of seven cells is there: each step is by seven


def test_losses_of_the_capture_and_of_one_camera(tmp_path: Path) -> None:
    """Six moments at which the capture lost packets of all cameras, and one camera that loses its own."""
    moments = [2_000 * MS, 5_010 * MS, 9_030 * MS, 14_000 * MS, 18_020 * MS, 23_000 * MS]
    capture = Capture()
    shared, own = [], []
    for camera in range(4):
        sent = pictures(800, seed=camera, start=camera * 7 * MS, number=9_000 * camera)
        together = {n for n, packet in enumerate(sent) if any(at <= packet.at < at + 60 * MS for at in moments)}
        alone = set(range(1_200, 1_260)) | set(range(100, 2_600, 400)) if camera == 1 else set()
        alone -= together | {n + step for n in together for step in (-1, 1)}
        way = Way(src=f"10.50.0.{20 + camera}", sport=7_000, dport=3_456 + 2 * camera)
        capture.add(sent, way, Fate(lost=frozenset(together | alone)), ssrc=camera + 1)
        shared.append(len(together))
        own.append(len(alone))
    rows = rows_of(capture, tmp_path)
    assert [row["lost_with_others"] for row in rows] == shared
    assert [row["lost_alone"] for row in rows] == own == [0, own[1], 0, 0]
    measures = {row["measure"]: row["value"] for row in classifier.classify(tmp_path / "streams.pcap").rows("quality")}
    assert measures["streams"] == 4
    assert measures["stream_packets_missing"] == sum(shared) + sum(own)
    assert measures["stream_packets_missing_together"] == sum(shared)
    assert measures["stream_packets_missing_alone"] == sum(own)
    assert measures["stream_moments_of_loss"] == len(moments)


def test_when_most_was_lost(tmp_path: Path) -> None:
    capture = Capture()
    truth = capture.add(pictures(200), fate=FATES["bursts lost"])
    (row,) = rows_of(capture, tmp_path)
    assert row["worst_loss_ns"] == truth.longest_gap_ns // (100 * MS) * (100 * MS)


def test_a_multicast_group_with_its_streams_and_members(tmp_path: Path) -> None:
    """Two senders and two sources of one of them, joins of both versions, one leave, a querier."""
    capture = Capture()
    group = {"dst": "225.5.10.1", "dport": 1_025}
    capture.add(pictures(60), Way(src="10.50.0.5", ttl=4, **group), ssrc=1)
    capture.add(sound(100), Way(src="10.50.0.5", ttl=4, **group), ssrc=2, payload_type=0, clock=8000)
    capture.add(pictures(60), Way(src="10.50.0.6", ttl=1, **group), ssrc=3)
    site = capture.site
    one, two = site.host("one", "10.50.0.40"), site.host("two", "10.50.0.41")
    querier = site.host("switch", "10.50.0.1")
    site.igmp_query(0, querier)
    site.igmp_join(100 * MS, one, [group["dst"]], version=2)
    site.igmp_join(200 * MS, two, [group["dst"]], version=3)
    site.igmp_join(900 * MS, two, [group["dst"]], version=3)
    site.igmp_leave(1_000 * MS, one, group["dst"], version=2)
    rows_of(capture, tmp_path)
    (row,) = classifier.classify(tmp_path / "streams.pcap").rows("multicast")
    frames = sum(truth.wire_bytes for truth in capture.truths)
    expected = {
        "group": "225.5.10.1", "port": 1_025, "senders": ["10.50.0.5", "10.50.0.6"], "sender_ttls": [4, 1], "ttl": 1,
        "streams": 3, "members": ["10.50.0.40", "10.50.0.41"], "left": ["10.50.0.40"], "joins": 3, "leaves": 1,
        "queriers": ["10.50.0.1"], "querier_version": "IGMPv3", "wire_bytes": frames,
        "packets": sum(truth.packets for truth in capture.truths),
        "first_join_ns": site.start_ns + 100 * MS, "last_join_ns": site.start_ns + 900 * MS,
        "first_leave_ns": site.start_ns + S, "last_leave_ns": site.start_ns + S,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
