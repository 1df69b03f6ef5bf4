"""RTSP: descriptions, transports, reassembly, and conversations, cut anywhere and with sides missing."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.evidence.assemble import MAX_BYTES, MAX_SEGMENTS, Assembler
from classifier.evidence.message import Message, parse_head
from classifier.evidence.rtsp import MAX_FLOWS, MAX_OPEN, Conversation, MediaFlow
from classifier.evidence.sdp import MAX_MEDIA, Codec, Connection, parse_sdp
from classifier.evidence.transport import parse_transport

CAMERA = (
    b"v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=Stream\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
    b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    b"a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z2QAKa0,aO48sA==\r\na=control:trackID=1\r\n"
    b"m=audio 0 RTP/AVP 0 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/2\r\na=control:trackID=2\r\n"
)
DIGIFORT = (
    b"v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=Digifort Media\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\n"
    b"m=video 0 RTP/AVP 96\r\na=control:rtsp://10.0.0.5:554/Interface/Cameras/Media?Camera=C1/trackID=1\r\n"
    b"a=rtpmap:96 H264/90000\r\n"
)
GROUP = (
    b"v=0\r\ns=x\r\nc=IN IP4 225.1.2.3/32\r\nm=video 5000/2 RTP/AVP 26\r\na=control:v\r\n"
    b"m=audio 5004 RTP/AVP 8\r\nc=IN IP6 ff15::7\r\n"
)


def test_a_description() -> None:
    session = parse_sdp(CAMERA)
    assert session is not None
    assert (session.name, session.connection, session.control) == ("Stream", Connection("0.0.0.0", 0), "*")
    video, audio = session.media
    assert (video.kind, video.port, video.profile, video.payload_types) == ("video", 0, "RTP/AVP", (96,))
    assert video.rtpmap == {96: Codec("H264", 90000, 1)}
    assert video.control == "trackID=1"
    assert audio.rtpmap == {0: Codec("PCMU", 8000, 1), 97: Codec("MPEG4-GENERIC", 16000, 2)}
    assert not session.cut and not session.is_digifort
    assert "Z2QAKa0" not in repr(session)


def test_groups_of_a_description() -> None:
    session = parse_sdp(GROUP)
    assert session is not None
    video, audio = session.media
    assert (video.connection, video.port, video.port_count) == (Connection("225.1.2.3", 32), 5000, 2)
    assert video.rtpmap[26].codec == "JPEG"
    assert audio.connection == Connection("ff15::7", 0)
    assert video.connection and video.connection.is_multicast


@pytest.mark.parametrize("vector", [CAMERA, DIGIFORT, GROUP])
def test_a_description_cut_anywhere_says_less_but_nothing_else(vector: bytes) -> None:
    whole = parse_sdp(vector)
    assert whole is not None
    for size in range(len(vector)):
        session = parse_sdp(vector[:size])
        if session is None:
            assert size < 5
            continue
        assert session.name in ("", whole.name) and session.connection in (None, whole.connection)
        assert len(session.media) <= len(whole.media)
        for part, media in zip(session.media, whole.media, strict=False):
            assert (part.kind, part.port, part.payload_types) == (media.kind, media.port, media.payload_types)
            assert part.rtpmap.items() <= media.rtpmap.items()
            assert part.control in ("", media.control)


def test_the_last_line_of_a_whole_body_needs_no_line_end() -> None:
    text = GROUP.rstrip()
    for whole, address in ((False, "225.1.2.3"), (True, "ff15::7")):
        session = parse_sdp(text, whole=whole)
        assert session is not None and session.media[1].connection is not None
        assert session.media[1].connection.address == address


def test_bounds_of_a_description() -> None:
    session = parse_sdp(b"v=0\n" + b"m=video 0 RTP/AVP 96\n" * 100)
    assert session is not None
    assert (len(session.media), session.cut) == (MAX_MEDIA, True)
    began = time.monotonic()
    for noise in (b" ", b"m=", b"m=video 1 RTP/AVP" + b" 1" * 50, b"a=rtpmap:1 ", b"c=IN IP4 ", b"a=control:?"):
        parse_sdp(b"v=0\n" + noise * (1 << 16), whole=True)
        parse_sdp(b"v=0\n" + (noise * 100 + b"\n") * 600, whole=True)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("text", [b"", b"v=", b"v=1\r\n", b"<html>v=0", b"s=Digifort Media\r\n"])
def test_what_is_no_description(text: bytes) -> None:
    assert parse_sdp(text) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("RTP/AVP;unicast;client_port=4588-4589", {"client_port": (4588, 4589), "lower": "UDP", "cast": "unicast"}),
        (
            "RTP/AVP/UDP;unicast;client_port=3456-3457;server_port=0-1;ssrc=0000ABCD",
            {"client_port": (3456, 3457), "server_port": (0, 1), "ssrc": 0xABCD},
        ),
        ("RTP/AVP/TCP;interleaved=0-1", {"lower": "TCP", "interleaved": (0, 1), "cast": ""}),
        (
            "RTP/AVP;multicast;destination=224.2.0.1;port=5000-5001;ttl=127;source=10.0.0.9",
            {"cast": "multicast", "destination": "224.2.0.1", "port": (5000, 5001), "ttl": 127, "source": "10.0.0.9"},
        ),
        ('rtp/avp ; UNICAST ; client_port = 5000 - 5001 ; mode="record"',
         {"profile": "RTP/AVP", "client_port": (5000, 5001), "mode": "RECORD"}),
        ("RTP/AVP;client_port=5000", {"client_port": (5000, 0)}),
        ("RTP/AVP;client_port=5000-70000;ttl=300;ssrc=123456789;interleaved=0-256;mode=x;destination=a b",
         {"client_port": None, "ttl": None, "ssrc": None, "interleaved": None, "mode": "", "destination": ""}),
        ("RTP/SAVPF;unicast;destination=[fe80::1]", {"profile": "RTP/SAVPF", "destination": "fe80::1"}),
    ],
)  # fmt: skip
def test_a_transport(value: str, expected: dict[str, Any]) -> None:
    (found,) = parse_transport(value)
    assert {name: getattr(found, name) for name in expected} == expected


def test_several_transports_and_none() -> None:
    assert [t.lower for t in parse_transport("RTP/AVP/TCP;interleaved=0-1,RTP/AVP;unicast,x,")] == ["TCP", "UDP"]
    assert parse_transport("") == parse_transport("nonsense;client_port=1-2") == ()
    long = "RTP/AVP;unicast" + ";x=1" * 300 + ";client_port=50001"
    assert parse_transport(long[:1024])[0].client_port is None


# -- reassembly ------------------------------------------------------------------------------------------------------

OPTIONS = b"OPTIONS rtsp://10.0.0.9/a RTSP/1.0\r\nCSeq: 1\r\n\r\n"
DESCRIBED = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: %d\r\n\r\n" % len(CAMERA) + CAMERA
PLAY = b"RTSP/1.0 200 OK\r\nCSeq: 5\r\n\r\n"


def frame(size: int) -> bytes:
    return b"$\0" + size.to_bytes(2, "big") + b"R" * size


def heads(assembler: Assembler) -> list[tuple[str, int]]:
    return [(message.header("cseq") or message.path, len(body)) for message, body, _ in assembler.messages()]


def cut_up(stream: bytes, sizes: list[int]) -> list[tuple[int, bytes]]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append((at, stream[at : at + size]))
        at += size
    pieces.append((at, stream[at:]))
    return [piece for piece in pieces if piece[1]]


STREAM = OPTIONS + DESCRIBED + frame(40) + PLAY + frame(3) + b"\r\n" + OPTIONS


@given(
    st.lists(st.integers(1, 90), max_size=30),
    st.randoms(use_true_random=False),
    st.sampled_from([0, 1, (1 << 32) - 1, (1 << 32) - 100, (1 << 31) - 5]),
)
def test_any_order_overlap_and_wrap_give_the_same_messages(sizes: list[int], random: Any, first: int) -> None:
    pieces = cut_up(STREAM, sizes)
    extra = [(at, STREAM[at : at + random.randrange(1, 200)]) for at, _ in random.sample(pieces, len(pieces) // 2)]
    pieces += extra
    random.shuffle(pieces)
    assembler = Assembler()
    for at, payload in pieces:
        assembler.add((first + at) % (1 << 32), payload, False)
    found = list(assembler.messages())
    assert [(m.header("cseq"), body) for m, body, _ in found] == [("1", b""), ("2", CAMERA), ("5", b""), ("1", b"")]
    assert [at for _, _, at in found] == [
        (first + at) % (1 << 32) for at in (0, len(OPTIONS), STREAM.index(PLAY), STREAM.rindex(OPTIONS))
    ]
    assert list(assembler.messages()) == found


def test_after_a_gap_the_next_start_line_counts() -> None:
    assembler = Assembler()
    assembler.add(0, OPTIONS, False)
    assembler.add(5000, b"middle of something\r\n\r\nRTSP/1.0 200 OK\r\n", False)
    assembler.add(6000, PLAY, False)
    assert heads(assembler) == [("1", 0), ("5", 0)]


def test_a_body_in_a_gap_is_skipped_by_its_length() -> None:
    assembler = Assembler()
    seen = len(DESCRIBED) - len(CAMERA) + 10
    assembler.add(100, DESCRIBED[:seen], True)
    assembler.add(100 + seen + 50, DESCRIBED[seen + 50 :] + PLAY, False)
    assert heads(assembler) == [("2", 10), ("5", 0)]
    assert assembler.cut


def test_a_media_frame_in_a_gap_is_skipped_by_its_length() -> None:
    assembler = Assembler()
    assembler.add(0, PLAY + frame(1000)[:100], True)
    assembler.add(len(PLAY) + 1004, OPTIONS, False)
    assert heads(assembler) == [("5", 0), ("1", 0)]


def test_a_length_too_long_swallows_no_reply() -> None:
    assembler = Assembler()
    wrong = DESCRIBED.replace(b"Length: %d" % len(CAMERA), b"Length: 9999")
    assembler.add(0, wrong, False)
    assembler.add(len(wrong), PLAY, False)
    assert heads(assembler) == [("2", len(CAMERA)), ("5", 0)]


def test_http_bodies_without_length_end_where_a_segment_begins_a_message() -> None:
    assembler = Assembler()
    first = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    assembler.add(0, first, False)
    assembler.add(len(first), b"0\r\n\r\n", False)
    assembler.add(len(first) + 5, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 70\r\n\r\n" + PLAY, False)
    bodies = [body for _, body, _ in assembler.messages()]
    assert bodies == [b"5\r\nhello\r\n0\r\n\r\n", b"", b""]


def test_a_long_connection_beyond_half_of_the_sequence_space() -> None:
    assembler = Assembler()
    for step in range(5):
        assembler.add((step << 30) % (1 << 32), PLAY, False)
    assert len(heads(assembler)) == 5


@pytest.mark.parametrize("size", range(0, len(DESCRIBED), 7))
def test_every_prefix_of_a_stream(size: int) -> None:
    assembler = Assembler()
    assembler.add(7, DESCRIBED[:size], True)
    for message, body, at in assembler.messages():
        assert (at, message.status) == (7, 200)
        assert CAMERA.startswith(body)


def test_bounds_of_reassembly() -> None:
    many = Assembler()
    for at in range(1000):
        many.add(at * 10, b"x", False)
    assert many.dropped == 1000 - MAX_SEGMENTS
    big = Assembler()
    for at in range(100):
        big.add(at * 1460, bytes(1460), False)
    assert big.dropped == 100 - MAX_BYTES // 1460
    same = Assembler()
    for _ in range(1000):
        same.add(0, OPTIONS, False)
    assert same.dropped == 0 and heads(same) == [("1", 0)]


@pytest.mark.parametrize(
    "payload",
    [
        b"GET / HTTP/1.1\n\n",
        b"$\0\0\0",
        b"\r\n",
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/1.1\nContent-Length: 1\n\n",
        b"G ",
        b"A",
    ],
)
def test_hostile_streams_end_soon(payload: bytes) -> None:
    assembler = Assembler()
    fill = (payload * MAX_BYTES)[: MAX_BYTES // MAX_SEGMENTS]
    for part in range(MAX_SEGMENTS):
        assembler.add(part * len(fill), fill, False)
    overlapping = Assembler()
    for part in range(MAX_SEGMENTS):
        overlapping.add(part, fill, False)
    began = time.monotonic()
    assert len(list(assembler.messages())) <= 512
    assert len(list(overlapping.messages())) <= 512
    assert time.monotonic() - began < 5


@given(st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=60) | st.sampled_from([OPTIONS, PLAY, frame(5)]))))
def test_any_segments(segments: list[tuple[int, bytes]]) -> None:
    assembler = Assembler()
    for seq, payload in segments:
        assembler.add(seq, payload, False)
    positions = [at for _, _, at in assembler.messages()]
    assert positions == sorted(set(positions))


# -- conversations ---------------------------------------------------------------------------------------------------

URL = "rtsp://u:s3cret@10.0.0.9:554/live"


def request(method: str, number: int, url: str = URL, *lines: str) -> bytes:
    return "\r\n".join((f"{method} {url} RTSP/1.0", f"CSeq: {number}", *lines, "", "")).encode()


def reply(number: int, *lines: str, status: int = 200, body: bytes = b"") -> bytes:
    more = (f"Content-Length: {len(body)}",) if body else ()
    return "\r\n".join((f"RTSP/1.0 {status} x", f"CSeq: {number}", *lines, *more, "", "")).encode() + body


def talk(*said: tuple[int, bytes]) -> Conversation:
    """Side 0 is the client, side 1 the server; message n at time n, in record n, from 1."""
    conversation = Conversation()
    for number, (side, data) in enumerate(said, 1):
        message = parse_head(data)
        assert isinstance(message, Message)
        conversation.add(side, message, data[message.head_bytes :], number, number)
    return conversation


UDP = "Transport: RTP/AVP;unicast;client_port=3456-3457"
DIALOGUE = (
    (0, request("DESCRIBE", 1)),
    (1, reply(1, 'WWW-Authenticate: Digest realm="cam", nonce="n"', status=401)),
    (0, request("DESCRIBE", 2, URL, "Authorization: Digest x")),
    (1, reply(2, "Content-Base: rtsp://10.0.0.9:554/live/", body=CAMERA)),
    (0, request("SETUP", 3, URL + "/trackID=1", UDP)),
    (1, reply(3, UDP + ";server_port=0-1;source=10.0.0.9")),
    (0, request("SETUP", 4, URL + "/trackID=2", "Transport: RTP/AVP;unicast;client_port=3458-3459")),
    (1, reply(4, "Transport: RTP/AVP;unicast;client_port=3470-3471;server_port=6972-6973")),
    (0, request("PLAY", 5)),
    (1, reply(5)),
    (0, request("TEARDOWN", 6)),
    (1, reply(6)),
)


def test_a_camera_and_its_two_media() -> None:
    conversation = talk(*DIALOGUE)
    video, audio = conversation.flows()
    assert (video.target, video.kind, video.confirmed, video.client_side) == ("/live/trackID=1", "video", True, 0)
    assert video.payloads == {96: Codec("H264", 90000, 1)}
    assert (video.client_ports, video.server_ports, video.source) == (((3456, 3457),), (), "10.0.0.9")
    assert (video.ts_ns, video.record, video.ended_ns) == (6, 6, 11)
    assert (audio.kind, sorted(audio.payloads)) == ("audio", [0, 97])
    assert audio.client_ports == ((3470, 3471), (3458, 3459))  # the answer first, what was asked stays
    assert audio.server_ports == ((6972, 6973),)
    assert not video.is_multicast and video.interleaved is None and video.ports is None
    assert conversation.facts() == () and conversation.dropped == 0
    assert "s3cret" not in repr(conversation.flows())


def ordered_by_side(side: int) -> Conversation:
    conversation = Conversation()
    for wanted in (side, 1 - side):
        for number, (speaker, data) in enumerate(DIALOGUE, 1):
            message = parse_head(data)
            assert message is not None
            if speaker == wanted:
                conversation.add(speaker, message, data[message.head_bytes :], number, number)
    return conversation


@pytest.mark.parametrize("side", [0, 1])
def test_one_side_after_the_other_gives_the_same(side: int) -> None:
    assert ordered_by_side(side).flows() == talk(*DIALOGUE).flows()


def test_requests_alone_give_unconfirmed_flows() -> None:
    video, audio = talk(*(said for said in DIALOGUE if said[0] == 0)).flows()
    assert (video.confirmed, video.client_ports, video.target) == (False, ((3456, 3457),), "/live/trackID=1")
    assert audio.client_ports == ((3458, 3459),)


def test_replies_alone_give_confirmed_flows_without_a_name() -> None:
    video, audio = talk(*(said for said in DIALOGUE if said[0] == 1)).flows()
    assert (video.confirmed, video.client_ports, video.target, video.client_side) == (True, ((3456, 3457),), "", 0)
    assert audio.server_ports == ((6972, 6973),)
    assert video.kind == ""  # which of the two it is, the replies do not tell


def test_a_refused_setup_is_no_flow_and_its_retry_is() -> None:
    (flow,) = talk(
        (0, request("SETUP", 1, URL, UDP)),
        (1, reply(1, status=461)),
        (0, request("SETUP", 2, URL, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")),
        (1, reply(2, "Transport: RTP/AVP/TCP;interleaved=0-1")),
    ).flows()
    assert (flow.interleaved, flow.client_ports, flow.is_multicast) == ((0, 1), (), False)


def test_a_retry_without_replies_counts_once() -> None:
    (flow,) = talk(
        (0, request("SETUP", 1, URL, UDP)), (0, request("SETUP", 2, URL, UDP, "Authorization: Basic x"))
    ).flows()
    assert flow.record == 2


def test_pipelined_requests_and_the_same_number_twice() -> None:
    flows = talk(
        (0, request("SETUP", 7, URL + "/1", UDP)),
        (0, request("SETUP", 7, URL + "/2", UDP.replace("345", "346"))),
        (1, reply(7, UDP)),
        (1, reply(7, UDP.replace("345", "346"))),
    ).flows()
    assert [(flow.target, flow.client_ports) for flow in flows] == [
        ("/live/1", ((3456, 3457),)),
        ("/live/2", ((3466, 3467),)),
    ]


def test_a_group_from_the_answer_and_one_from_the_description() -> None:
    (flow,) = talk(
        (0, request("SETUP", 1, URL, "Transport: RTP/AVP;multicast")),
        (1, reply(1, "Transport: RTP/AVP;multicast;destination=225.9.9.9;port=5000-5001;ttl=4")),
    ).flows()
    assert (flow.is_multicast, flow.destination, flow.ports) == (True, "225.9.9.9", (5000, 5001))
    (flow,) = talk(
        (0, request("DESCRIBE", 1)),
        (1, reply(1, body=GROUP)),
        (0, request("SETUP", 2, URL + "/v", "Transport: RTP/AVP;multicast")),
        (1, reply(2, "Transport: RTP/AVP;multicast")),
    ).flows()
    assert (flow.destination, flow.ports, flow.group) == ("225.1.2.3", (5000, 5001), Connection("225.1.2.3", 32))
    assert flow.kind == "video"


def test_a_group_that_an_answer_names_without_the_word_multicast() -> None:
    (flow,) = talk((1, reply(1, "Transport: RTP/AVP;destination=225.9.9.9;port=5000-5001"))).flows()
    assert (flow.is_multicast, flow.ports) == (True, (5000, 5001))
    (flow,) = talk((1, reply(1, "Transport: RTP/AVP;destination=10.0.0.7;client_port=5000-5001"))).flows()
    assert (flow.is_multicast, flow.destination) == (False, "10.0.0.7")


def test_tracks_behind_a_query_that_is_not_kept() -> None:
    url = "rtsp://10.0.0.9/cam/realmonitor?channel=1&subtype=0"
    flows = talk(
        (0, request("DESCRIBE", 1, url)),
        (1, reply(1, f"Content-Base: {url}/", body=CAMERA)),
        (0, request("SETUP", 2, url + "/trackID=2", UDP)),
        (1, reply(2, UDP)),
    ).flows()
    assert [(flow.target, flow.kind) for flow in flows] == [("/cam/realmonitor/trackID=2", "audio")]


@pytest.mark.parametrize(
    ("session", "setup"),
    [
        ("", "/live/track1"),  # joined to the URL that was asked for
        ("a=control:sub\r\n", "/live/sub/track1"),
        ("a=control:rtsp://10.0.0.9/other/\r\n", "/other/track1"),
        ("a=control:*\r\n", "/track1"),  # RFC 3986 replaces the last part of a base without a slash
    ],
)
def test_controls_stand_on_several_bases(session: str, setup: str) -> None:
    text = f"v=0\r\ns=x\r\n{session}m=Video 0 RTP/AVP 127\r\na=control:track1\r\na=rtpmap:127 H264/90000\r\n"
    text += "m=audio 0 RTP/AVP 8\r\na=control:xtrack1\r\n"
    (flow,) = talk(
        (0, request("DESCRIBE", 1)),
        (1, reply(1, body=text.encode())),
        (0, request("SETUP", 2, "rtsp://10.0.0.9" + setup, UDP)),
        (1, reply(2, UDP)),
    ).flows()
    assert (flow.kind, flow.payloads) == ("video", {127: Codec("H264", 90000, 1)})


def test_a_new_description_speaks_for_later_media_only() -> None:
    other = CAMERA.replace(b"96 H264", b"96 H265")
    first, second = talk(
        (0, request("DESCRIBE", 1)),
        (1, reply(1, body=CAMERA)),
        (0, request("SETUP", 2, URL + "/trackID=1", UDP)),
        (1, reply(2, UDP)),
        (0, request("TEARDOWN", 3)),
        (0, request("DESCRIBE", 4)),
        (1, reply(4, body=other)),
        (0, request("SETUP", 5, URL + "/trackID=1", UDP)),
        (1, reply(5, UDP)),
    ).flows()
    assert (first.payloads[96].codec, second.payloads[96].codec) == ("H264", "H265")
    assert (first.ended_ns, second.ended_ns) == (5, None)


def test_a_camera_that_is_sent_to() -> None:
    (flow,) = talk(
        (0, request("ANNOUNCE", 1, URL, f"Content-Length: {len(CAMERA)}") + CAMERA),
        (0, request("SETUP", 2, URL + "/trackID=1", UDP + ";mode=record")),
        (1, reply(2, UDP + ";mode=record")),
    ).flows()
    assert (flow.kind, flow.asked[0].mode) == ("video", "RECORD")


DIGIFORT_URL = "rtsp://10.0.0.5:554/Interface/Cameras/Media?Camera=C1"


def test_the_digifort_dialogue() -> None:
    conversation = talk(
        (0, request("OPTIONS", 1, DIGIFORT_URL)),
        (1, reply(1, "Public: DESCRIBE, PAUSE, PLAY, SETUP, TEARDOWN")),
        (0, request("DESCRIBE", 2, DIGIFORT_URL)),
        (1, reply(2, 'WWW-Authenticate: Basic realm="Digifort RTSP Server"', status=401)),
        (0, request("DESCRIBE", 3, DIGIFORT_URL)),
        (1, reply(3, body=DIGIFORT)),
        (0, request("SETUP", 4, DIGIFORT_URL + "/trackID=1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")),
        (1, reply(4, "Transport: RTP/AVP/TCP;interleaved=0-1")),
    )
    assert [(fact.code, fact.by, fact.side, fact.record) for fact in conversation.facts()] == [
        ("digifort_rtsp", "path", 0, 1),
        ("digifort_rtsp", "realm", 1, 4),
        ("digifort_rtsp", "session", 1, 6),
    ]
    (flow,) = conversation.flows()
    assert (flow.target, flow.interleaved) == ("/Interface/Cameras/Media?Camera=C1/trackID=1", (0, 1))
    assert flow.payloads == {96: Codec("H264", 90000, 1)}


@pytest.mark.parametrize(("status", "proven"), [(404, False), (200, True), (401, True), (None, True)])
def test_a_path_that_the_server_does_not_know_proves_nothing(status: int | None, proven: bool) -> None:
    said = [(0, request("OPTIONS", 1, DIGIFORT_URL)), (1, reply(1)), (0, request("DESCRIBE", 2, DIGIFORT_URL))]
    if status:
        said.append((1, reply(2, status=status)))
    assert bool(talk(*said).facts()) == proven


def test_http_is_not_part_of_it() -> None:
    conversation = talk(
        (0, b"GET /Interface/Cameras/Media HTTP/1.1\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\nTransport: RTP/AVP\r\n\r\n")
    )
    assert (conversation.facts(), conversation.flows()) == ((), ())


def test_bounds_of_a_conversation() -> None:
    waiting = talk(*((0, request("SETUP", n, f"{URL}/{n}", UDP)) for n in range(MAX_OPEN + 10)))
    assert (len(waiting.flows()), waiting.dropped) == (MAX_OPEN, 10)
    kept_alive = talk(*((0, request("OPTIONS", n)) for n in range(200)), (0, request("SETUP", 999, URL, UDP)))
    assert (len(kept_alive.flows()), kept_alive.dropped) == (1, 0)
    said = [each for n in range(MAX_FLOWS + 10) for each in ((0, request("SETUP", n, URL, UDP)), (1, reply(n, UDP)))]
    agreed = talk(*said)
    assert (len(agreed.flows()), agreed.dropped) == (MAX_FLOWS, 10)


@given(
    st.lists(st.tuples(st.sampled_from(range(len(DIALOGUE))), st.booleans(), st.integers(0, 400), st.integers(0, 9)))
)
def test_any_order_and_any_cut_of_a_dialogue(steps: list[tuple[int, bool, int, int]]) -> None:
    conversation = Conversation()
    for index, swapped, size, ts_ns in steps:
        side, data = DIALOGUE[index]
        message = parse_head(data[:size] if size < 300 else data)
        if message:
            conversation.add(side ^ swapped, message, data[message.head_bytes : size], ts_ns, index)
    for flow in conversation.flows():
        assert isinstance(flow, MediaFlow)
        for pair in (*flow.client_ports, *flow.server_ports):
            assert 0 < pair[0] <= 65535
        _ = flow.destination, flow.ports, flow.interleaved, flow.source


@given(st.text(max_size=200), st.binary(max_size=200))
def test_any_transport_and_any_description(value: str, text: bytes) -> None:
    parse_transport(value)
    parse_transport("RTP/AVP;" + value)
    for before in (b"", b"v=0\r\n", b"v=0\r\nm=video 0 RTP/AVP 96\r\na="):
        parse_sdp(before + text, whole=True)
