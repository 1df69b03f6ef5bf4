"""Streams and multicast groups as an engineer reads them: at 80 columns, without colour."""

from __future__ import annotations

from typing import Any

from fake_report import START, FakeReport, S, component, full_site, lossy, stream

from classifier.render import text
from classifier.render.screen_streams import verdict


def section(name: str, rows: list[dict[str, Any]]) -> list[str]:
    return text.render(full_site(**{name: rows}), (name,)).splitlines()  # type: ignore[arg-type]


def group(**changes: Any) -> dict[str, Any]:
    return {**full_site().rows("multicast")[0], **changes}


def test_a_group_says_who_sends_and_who_listens() -> None:
    lines = section("multicast", [group(members=["10.20.2.7", "10.20.2.8"], left=["10.20.2.8"], leaves=1,
                                        first_leave_ns=START + 9 * S, last_leave_ns=START + 9 * S)])  # fmt: skip
    assert lines == [
        "MULTICAST: 1 row",
        "225.5.10.1:1025  digifort.multicast_media, 1 stream,",
        "                 160 kbit/s mean, 250 kbit/s peak",
        "    from  10.20.0.5 (TTL 1)",
        "    members  10.20.2.7, 10.20.2.8 (left)",
        "    reports  5 joins 08:13:23 to 08:21:43, 1 leave at 08:13:29",
        "    querier  10.20.0.1, IGMPv3",
    ]


def test_a_group_of_several_ports_tells_its_members_once() -> None:
    lines = section("multicast", [group(), group(port=1027)])
    assert sum("members  10.20.2.7" in line for line in lines) == 1
    assert lines[-1] == "    members and queriers as above"


def test_what_is_missing_at_a_group_is_said() -> None:
    nothing = {"joins": 0, "first_join_ns": None, "last_join_ns": None, "queriers": [], "querier_version": ""}
    shown = "\n".join(section("multicast", [group(members=[], **nothing)]))
    assert "nobody reported membership" in shown and "no querier seen" in shown and "joins" not in shown
    joined = section("multicast", [group(packets=0, port=0, senders=[], sender_ttls=[])])
    assert joined[1] == "225.5.10.1  nothing sent to it in this capture, only joined"


def test_many_members_are_wrapped_between_addresses() -> None:
    hosts = [f"2001:db8:10:20::{n}" for n in range(40)]
    lines = section("multicast", [group(members=hosts, group="ff3e::1", senders=hosts)])
    assert max(map(len, lines)) <= 80
    said = " ".join(lines)
    assert all(f"{host}," in said or f"{host} " in said for host in hosts[:-1])


# -- streams


def test_the_worst_stream_comes_first_with_what_is_wrong_with_it() -> None:
    lines = section("streams", [stream(0), lossy(1)])
    assert lines == [
        "STREAMS: 2 rows",
        "  lost  burst    jitter         rate  codec  from > to",
        " 2.3 %     14    1.1 ms  2.41 Mbit/s  H264   10.20.1.21:6970 > 10.20.0.5:3002",
        "        2.3 % lost in the capture: 84 of 3,650 packets, up to 14 in a row, worst",
        "          at 08:13:29",
        "        in this stream alone: the path's or the camera's",
        "  none           1.1 ms  2.41 Mbit/s  H264   10.20.1.20:6970 > 10.20.0.5:3000",
    ]


def words(row: dict[str, Any]) -> str:
    """The view of one stream, its lines joined again."""
    return " ".join(line.strip() for line in section("streams", [row]))


def test_whose_loss_it_is() -> None:
    said = words(lossy(lost_with_others=80, lost_alone=4))
    assert "80 while other streams lost too, most likely missed by the capture" in said
    assert "4 in this stream alone" in said
    said = words(lossy(lost_with_others=84, lost_alone=0))
    assert "all of it while other streams lost too" in said
    unknown = words(lossy(lost_with_others=None, lost_alone=None))
    assert "alone" not in unknown and "others" not in unknown


def test_everything_else_that_a_stream_can_have() -> None:
    bad = stream(
        restarts=2, max_frame_jitter_ms=48.0, clock_basis="assumed", longest_silence_s=8.3, duplicates=900, reordered=1,
        reports=3, reported_lost=12, reported_loss=0.004, reported_jitter_ms=2.06,
    )  # fmt: skip
    said = words(bad)
    for told in (
        "sequence numbers began anew 2 times",
        "jitter 1.1 ms, at most 48.0 ms by an assumed clock of 90,000 Hz",
        "silent for 8.30 s at the longest",
        "900 packets more than once",
        "1 packet out of order",
        "the receiver reports up to 0.4 % lost, 12 packets in all, jitter 2.1 ms (RTCP): behind the point of capture",
    ):
        assert told in said


def test_loss_that_only_the_receiver_has_seen_is_a_fault() -> None:
    row = stream(reports=2, reported_loss=0.03, reported_lost=9, reported_jitter_ms=1.0)
    assert any("its receiver reports up to 3.0 % lost" in line for line in overview([row]))
    fine = stream(reports=2, reported_loss=0.0, reported_lost=-2, reported_jitter_ms=1.0)
    assert "the receiver reports no loss, jitter 1.0 ms (RTCP)" in words(fine)
    assert any("1 stream, no loss" in line for line in overview([fine]))


def test_a_transport_stream_shows_its_counters() -> None:
    row = stream(kind="mpegts", ssrc="", payload_type=None, codec="MP2T", expected=0, cc_errors=12, jitter_ms=None,
                 max_jitter_ms=None, frame_jitter_ms=None, max_frame_jitter_ms=None, pids=[0, 256])  # fmt: skip
    lines = section("streams", [row])
    assert lines[2].startswith(" 12 cc") and "None" not in lines[2]
    assert lines[3].strip() == "MPEG-TS: 12 breaks of the continuity counters"


def test_streams_fit_80_columns() -> None:
    rows = [
        lossy(9, lost_with_others=40, lost_alone=44, sender_address="192.168.100.201", sender_port=51_000,
              restarts=1, longest_silence_s=90.0, max_frame_jitter_ms=199.0, clock_basis="assumed", reports=3,
              reported_loss=0.999, reported_lost=1234, reported_jitter_ms=999.9)
    ]  # fmt: skip
    assert [line for line in section("streams", rows) if len(line) > 80 and " > " not in line] == []


def overview(rows: list[dict[str, Any]], width: int = 80) -> list[str]:
    return text.render(full_site(streams=rows), width=width).splitlines()  # type: ignore[arg-type]


def test_the_overview_names_the_worst_streams() -> None:
    lines = overview([stream(0), *(lossy(n, lost=10 * n) for n in range(1, 9))])
    (first,) = [n for n, line in enumerate(lines) if line.startswith("STREAMS")]
    assert lines[first] == "STREAMS       10.20.1.28 > 10.20.0.5:3016  2.2 % lost, worst at 08:13:29"
    assert lines[first + 2].strip() == "… 6 more faulty streams (--section streams)"
    assert not any("no loss" in line for line in lines)
    assert "2.2 % lost, worst at 08:13:29 (others too)" in "\n".join(
        overview([lossy(lost=80, lost_with_others=80, lost_alone=0)], width=86)
    )
    wide = "2.2 % lost, up to 14 in a row, worst at 08:13:29"
    assert any(line.endswith(wide) for line in overview([lossy(lost=80)], width=100))


def test_the_overview_has_one_line_when_nothing_is_wrong() -> None:
    lines = overview([stream(n) for n in range(12)])
    assert sum("12 streams, no loss (--section streams)" in line for line in lines) == 1
    assert not any(line.startswith("STREAMS") for line in lines)
    assert not any("no loss" in line for line in overview([]))


def test_the_verdict_on_what_is_missing() -> None:
    measures = {
        "packets_dropped": 3.0, "tcp_bytes_unseen": 12_000.0, "streams": 4.0, "stream_packets_missing": 173.0,
        "stream_packets_missing_together": 76.0, "stream_packets_missing_alone": 97.0, "stream_moments_of_loss": 6.0,
    }  # fmt: skip
    assert verdict(measures) == [
        "The capturing machine noted 3 packets that it dropped.",
        "TCP receivers acknowledged 12.0 kB that the capture lost on its own.",
        "173 packets missing in 4 media streams; 76 at 6 moments when many streams lost:",
        "  most likely the capture's; 97 in single streams: their paths' or their",
        "  cameras'.",
    ]
    assert verdict(dict.fromkeys(measures, 0.0)) == []
    assert verdict(dict.fromkeys(measures, 0.0) | {"streams": 1.0}) == ["No packet is missing in 1 media stream."]


def test_the_overview_says_that_the_capture_itself_lost_packets() -> None:
    rows = [
        {"measure": name, "value": value, "unit": "", "meaning": ""}
        for name, value in (("tcp_bytes_unseen", 12_000.0), ("stream_packets_missing_together", 76.0))
    ]
    few = [component("other.rtp", "RTP", 1000)]
    shown = text.render(FakeReport(components=few, quality=rows), width=100)  # type: ignore[arg-type]
    assert "the capture lost 12.0 kB that TCP receivers acknowledged (--section quality)" in shown
    assert "the capture most likely lost 76 packets of many streams at once" in shown
    assert "the capture" not in text.render(FakeReport(components=few))  # type: ignore[arg-type]
