"""RTP, RTCP and MPEG-TS payloads; sequence numbers and jitter by RFC 3550."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payload_vectors import RTCP_BYE, RTCP_RR_EMPTY, RTCP_SDES, RTCP_SR, RTP_FULL, TS, hexed, rtp, ts_packet

from classifier.evidence.mpegts import parse_ts
from classifier.evidence.rtcp import Block, Sender, parse_rtcp
from classifier.evidence.rtp import Jitter, Rtp, Sequence, codec_of, continues, guess_h264, guess_h265, parse_rtp


def parsed(packet: bytes) -> Rtp:
    found = parse_rtp(packet)
    assert found is not None
    return found


def test_every_field_of_an_rtp_header() -> None:
    assert parsed(RTP_FULL) == Rtp(96, True, 1, 16, 0xDEADBEEF, 28, 4)


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (b"\x40" + rtp(1)[1:], "version 1"),
        (b"\xc0" + rtp(1)[1:], "version 3"),
        (b"\x8f" + rtp(1, body=b"")[1:], "15 sources do not fit"),
        (b"\x90" + rtp(1, body=b"\xbe\xde\x00\x02\0\0\0\0")[1:], "an extension of two words does not fit"),
        (rtp(1)[:11], "eleven bytes"),
        *((rtp(1, kind=kind), f"type {kind}") for kind in (35, 64, 72, 73, 76, 95)),
        (RTCP_SR, "RTCP, which would be type 72 with the marker"),
        (rtp(1, kind=0x80 | 73), "RTCP receiver report"),
    ],
)
def test_what_is_no_rtp(packet: bytes, why: str) -> None:
    assert parse_rtp(packet) is None


def test_impossible_padding_does_not_veto_since_srtp_encrypts_it() -> None:
    assert parsed(b"\xa0" + rtp(1, body=b"\xff" * 10)[1:]).padding == -1
    assert parsed(b"\xa0" + rtp(1, body=b"\x00" * 10)[1:]).padding == -1


def test_a_snaplen_inside_the_extension_leaves_the_header() -> None:
    assert parse_rtp(RTP_FULL[:22]) is None
    found = parse_rtp(RTP_FULL[:25], len(RTP_FULL))
    assert found is not None
    assert (found.payload_at, found.padding) == (28, -1)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (rtp(7, 100), rtp(8, 100), True),
        (rtp(7, 100), rtp(8, 3100), True),
        (rtp(65535, 0xFFFFFFF0), rtp(0, 0x10), True),
        (rtp(7, 100), rtp(8, 99), False),
        (rtp(7), rtp(9), False),
        (rtp(7), rtp(7), False),
        (rtp(7), rtp(6), False),
        (rtp(7), rtp(8, ssrc=5), False),
        (rtp(7), rtp(8, kind=97), False),
        (rtp(7), rtp(8, kind=0x80 | 96), True),
    ],
)
def test_the_next_packet_of_a_stream(first: bytes, second: bytes, expected: bool) -> None:
    assert continues(parsed(first), parsed(second)) is expected


def test_static_payload_types() -> None:
    assert codec_of(0) == ("PCMU", 8000)
    assert codec_of(8) == ("PCMA", 8000)
    assert codec_of(9) == ("G722", 8000)
    assert codec_of(26) == ("JPEG", 90000)
    assert codec_of(33) == ("MP2T", 90000)
    assert [codec_of(kind) for kind in (1, 2, 19, 35, 72, 96, 127)] == [None] * 7


@pytest.mark.parametrize(
    ("body", "h264", "h265"),
    [
        (hexed("67 42 00 1f"), True, False),  # SPS
        (hexed("68 ce 3c 80"), True, False),  # PPS
        (hexed("65 88 84 00"), True, False),  # IDR slice
        (hexed("41 9a 24 6c"), True, False),  # slice
        (hexed("7c 85 88 84"), True, False),  # FU-A, start of an IDR slice
        (hexed("7c c5 88 84"), False, False),  # FU-A with start and end
        (hexed("7c a5 88 84"), False, False),  # FU-A with the reserved bit
        (hexed("78 00 0e 67 42"), True, False),  # STAP-A
        (hexed("40 01 0c 01"), False, True),  # VPS
        (hexed("42 01 01 01"), False, True),  # SPS
        (hexed("44 01 c1 72"), False, True),  # PPS
        (hexed("62 01 93 af"), False, True),  # FU, start of an IDR slice
        (hexed("62 01 d3 af"), False, False),  # FU with start and end
        (hexed("60 01 00 18 40 01"), False, True),  # AP
        (hexed("62 09 93 af"), False, False),  # not the base layer
        (hexed("62 00 93 af"), False, False),  # temporal id 0 is forbidden
        (hexed("00 00 00 00 ff 01"), False, False),  # JPEG (RFC 2435)
        (b"\xd5" * 160, False, False),  # silence in PCMA
        (b"\xff" * 160, False, False),  # silence in PCMU
        (b"\x67", False, False),
        (b"", False, False),
    ],
)
def test_the_codec_by_its_first_unit(body: bytes, h264: bool, h265: bool) -> None:
    assert (guess_h264(body), guess_h265(body)) == (h264, h265)


def run(*numbers: int) -> Sequence:
    sequence = Sequence()
    for number in numbers:
        sequence.add(number % 65536)
    return sequence


def test_the_first_packet_begins_the_run() -> None:
    assert run().expected == 0
    assert run(10).expected == 1
    sequence = run(10, 11, 12)
    assert (sequence.expected, sequence.received, sequence.lost, sequence.refused) == (3, 3, 0, 0)


@pytest.mark.parametrize("first", [11, 0, 65535])
def test_a_late_packet_before_the_first_one_extends_the_run(first: int) -> None:
    sequence = run(first, first - 1, first + 1)
    assert (sequence.expected, sequence.received, sequence.reordered, sequence.refused) == (3, 3, 1, 0)
    sequence = run(first, first - 3, first + 1, first - 1)
    assert (sequence.expected, sequence.lost, sequence.reordered) == (5, 1, 2)


def test_numbers_wrap() -> None:
    sequence = run(65533, 65534, 65535, 0, 1)
    assert (sequence.cycles, sequence.expected, sequence.lost) == (65536, 5, 0)


def test_numbers_wrap_at_the_first_packet_and_from_65534_to_1() -> None:
    assert run(65535, 0, 1).expected == 3
    sequence = run(65533, 65534, 1)
    assert (sequence.cycles, sequence.expected, sequence.received, sequence.lost) == (65536, 5, 3, 2)


def test_a_late_packet_fills_its_gap_and_a_second_copy_does_not() -> None:
    sequence = run(1, 2, 3, 5, 4)
    assert (sequence.lost, sequence.reordered, sequence.duplicates) == (0, 1, 0)
    sequence = run(1, 2, 3, 5, 4, 4, 5)
    assert (sequence.lost, sequence.reordered, sequence.duplicates) == (-2, 1, 2)


def test_a_late_packet_from_before_the_wrap() -> None:
    sequence = run(65532, 65533, 65535, 0, 65534)
    assert (sequence.cycles, sequence.expected, sequence.lost, sequence.reordered) == (65536, 5, 0, 1)


def test_one_wild_packet_is_refused_and_two_in_a_row_are_a_restart() -> None:
    sequence = run(1, 2, 3, 30_000, 4, 5)
    assert (sequence.received, sequence.refused, sequence.restarts) == (5, 1, 0)
    sequence = run(1, 2, 4, 30_000, 30_001, 30_002)
    assert (sequence.restarts, sequence.expected, sequence.received, sequence.refused) == (1, 3, 3, 0)
    assert (sequence.earlier_expected, sequence.earlier_received) == (4, 3)


@pytest.mark.parametrize(("step", "accepted"), [(2999, True), (3000, False), (65436, False), (65437, True)])
def test_the_bounds_of_dropout_and_misorder(step: int, accepted: bool) -> None:
    sequence = run(1, 2, 3)
    assert sequence.add((3 + step) % 65536) is accepted


@given(st.integers(0, 65535), st.lists(st.tuples(st.integers(1, 40), st.sampled_from(["keep", "twice", "late"]))))
def test_counts_agree_with_a_plain_list(start: int, steps: list[tuple[int, str]]) -> None:
    """Gaps, copies and packets that come two late, over any wrap, against sets of unwrapped numbers."""
    numbers = [start, start + 1]
    sent = start + 1
    for step, what in steps:
        sent += step
        if what == "twice":
            numbers += [sent, sent]
        elif what == "late":
            numbers += [sent + 1, sent]
            sent += 1
        else:
            numbers.append(sent)
    sequence = run(*numbers)
    assert sequence.expected == max(numbers) - min(numbers) + 1
    assert sequence.received == len(numbers)
    assert sequence.duplicates == len(numbers) - len(set(numbers))
    assert sequence.reordered == sum(what == "late" for _, what in steps)


def test_jitter_of_a_steady_stream_is_nothing_and_steps_count_a_sixteenth() -> None:
    jitter = Jitter(8000)
    for number in range(50):
        jitter.add(number * 20_000_000, (0xFFFFFF00 + number * 160) % 2**32)
    assert jitter.ticks == 0
    jitter.add(50 * 20_000_000 + 10_000_000, (0xFFFFFF00 + 50 * 160) % 2**32)
    assert jitter.ticks == 5  # 80 ticks late, a sixteenth of it
    assert jitter.ms == pytest.approx(0.625)
    jitter.add(51 * 20_000_000, (0xFFFFFF00 + 51 * 160) % 2**32)
    assert jitter.ticks == pytest.approx(5 + (80 - 5) / 16)


def test_every_field_of_a_sender_report() -> None:
    found = parse_rtcp(RTCP_SR + RTCP_SDES + RTCP_BYE)
    assert found is not None
    assert found.ssrc == 0x11223344
    assert found.sender == Sender(0xE100000080000000, 90000, 100, 100_000)
    assert found.blocks == (Block(0x55667788, 0x40, -2, 0x10005, 42, 0x1234, 0x8000),)
    assert (found.kinds, found.has_sdes, found.has_bye, found.cut) == ((200, 202, 203), True, True, False)


def test_names_of_sdes_are_not_kept() -> None:
    assert "cam@lan" not in repr(parse_rtcp(RTCP_SR + RTCP_SDES))


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (RTCP_SDES, "reduced size: no report first"),
        (RTCP_BYE, "reduced size"),
        (hexed("81 CD 00 02 11 22 33 44 55 66 77 88"), "feedback alone (RFC 5506)"),
        (RTCP_SR[:-4], "shorter than its length"),
        (RTCP_SR + bytes(4), "longer than its length, the rest is none"),
        (RTCP_SR + b"\x81\xca", "half a header behind"),
        (RTCP_RR_EMPTY + rtp(1)[:12], "RTP behind"),
        (b"\xa0" + RTCP_RR_EMPTY[1:], "padding on the first"),
        (b"\x81" + RTCP_RR_EMPTY[1:], "a block that does not fit"),
        (b"\x80\xc8\x00\x01\0\0\0\0", "a sender report without sender information"),
        (RTCP_RR_EMPTY * 65, "more packets than anybody sends"),
        (RTCP_SR + b"\x5a" * 14, "SRTCP: index and tag behind"),
    ],
)
def test_what_is_no_rtcp(payload: bytes, why: str) -> None:
    assert parse_rtcp(payload) is None


def test_a_report_of_which_a_snaplen_left_the_first_packet() -> None:
    whole = RTCP_SR + RTCP_SDES
    found = parse_rtcp(whole[:60], len(whole))
    assert found is not None
    assert (found.cut, found.kinds, len(found.blocks)) == (True, (200, 202), 1)
    assert parse_rtcp(whole[:51], len(whole)) is None


def test_packets_of_a_transport_stream() -> None:
    found = parse_ts(TS)
    assert found is not None
    assert found.start == 0
    assert found.pids == (0, 256)
    assert [(packet.pid, packet.continuity) for packet in found.packets] == [(0, 0), *((256, i) for i in range(1, 7))]
    stuffed = parse_ts(ts_packet(256, 3) + ts_packet(0x1FFF, 0) + ts_packet(257, 9, 2))
    assert stuffed is not None
    assert (stuffed.pids, [packet.carries for packet in stuffed.packets]) == ((256, 257), [True, True, False])


def test_a_transport_stream_in_rtp_behind_any_header() -> None:
    plain = parse_ts(rtp(1, kind=33, body=TS))
    assert plain is not None and (plain.start, len(plain.packets)) == (12, 7)
    padded = b"\xb1" + rtp(1, kind=33, body=bytes(4) + b"\xbe\xde\x00\x00" + TS + b"\0\0\0\4")[1:]
    found = parse_ts(padded)
    assert found is not None and (found.start, len(found.packets)) == (20, 7)
    assert parse_ts(rtp(1, kind=32, body=TS)) is None


@pytest.mark.parametrize(
    "payload",
    [
        TS + b"\x00",
        TS[:-1],
        TS[:188] + b"\x48" + TS[189:376],
        ts_packet(0, 0, 0),
        b"\x47\x40\x00\x20\xb8" + bytes(183),
        b"G" * 187,
        b"GET /" + b"x" * 183,
        b"G" * 376,
    ],
)
def test_what_is_no_transport_stream(payload: bytes) -> None:
    found = parse_ts(payload)
    assert found is None


def test_a_transport_stream_cut_by_a_snaplen() -> None:
    found = parse_ts(TS[:200], len(TS))
    assert found is not None
    assert len(found.packets) == 2
    assert parse_ts(TS[:200]) is None
