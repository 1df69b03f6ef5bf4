"""What holds for every payload parser: own payloads found, look-alikes refused, anything cut or bent is taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from payload_vectors import VECTORS
from quic_headers import parse_quic
from stun_messages import parse_stun

from classifier.evidence import dns, mpegts, rtcp, rtp, ssdp, ssrp, tds, tls, wsd
from fuzz.targets import payload as fuzz_payload

# what they find among VECTORS, besides nothing else
PARSERS: dict[str, tuple[Callable[[bytes], Any], set[str]]] = {
    "parse_reply": (ssrp.parse_reply, {"ssrp reply"}),
    "parse_prelogin": (tds.parse_prelogin, {"prelogin"}),
    "is_tds": (tds.is_tds, {"prelogin"}),
    "is_tls_wrapped": (tds.is_tls_wrapped, set()),
    "parse_rtp": (rtp.parse_rtp, {"rtp", "rtp and ts"}),
    "parse_rtcp": (rtcp.parse_rtcp, {"rtcp"}),
    "parse_ts": (mpegts.parse_ts, {"ts", "rtp and ts"}),
    "record_kind": (tls.record_kind, {"tls client", "tls server", "tls"}),
    "parse_client_hello": (tls.parse_client_hello, {"tls client"}),
    "parse_server_hello": (tls.parse_server_hello, {"tls server"}),
    "parse_dtls_hello": (tls.parse_dtls_hello, {"dtls"}),
    "parse_quic": (parse_quic, {"quic"}),
    "parse_stun": (parse_stun, {"stun"}),
    "parse_dns": (dns.parse_dns, {"dns"}),
    "parse_ssdp": (ssdp.parse_ssdp, {"ssdp"}),
    "parse_wsd": (wsd.parse_wsd, {"wsd"}),
}
SIZED = {
    "parse_prelogin", "is_tds", "parse_rtp", "parse_rtcp", "parse_ts", "parse_quic", "parse_stun", "parse_dns",
}  # fmt: skip
ALL = [(kind, vector) for kind, vectors in VECTORS.items() for vector in vectors]


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_finds_its_own_payloads_and_no_others(name: str) -> None:
    parse, own = PARSERS[name]
    found = {(kind, index) for kind, vectors in VECTORS.items() for index, v in enumerate(vectors) if parse(v)}
    assert found == {(kind, index) for kind in own for index in range(len(VECTORS[kind]))}


@pytest.mark.parametrize("name", PARSERS)
def test_every_prefix_of_every_payload_is_taken(name: str) -> None:
    parse, _ = PARSERS[name]
    for _kind, vector in ALL:
        for end in range(min(len(vector), 420)):
            parse(vector[:end])
            if name in SIZED:
                parse(vector[:end], len(vector))  # type: ignore[call-arg]


@pytest.mark.parametrize("name", sorted(SIZED - {"is_tds"}))
def test_what_a_snaplen_cut_is_still_found_and_nothing_else_is(name: str) -> None:
    """With the size on the wire a parser finds its payloads from some prefix on, and not by losing them again."""
    parse, own = PARSERS[name]
    for kind, vector in ALL:
        found = [bool(parse(vector[:end], len(vector))) for end in range(len(vector) + 1)]  # type: ignore[call-arg]
        assert found == sorted(found)
        assert found[-1] == (kind in own)
        assert not any(found[:5])


@given(st.sampled_from(ALL), st.data())
def test_a_bent_payload_is_taken(vector: tuple[str, bytes], data: st.DataObject) -> None:
    bent = bytearray(vector[1])
    for _ in range(data.draw(st.integers(1, 4))):
        if bent:
            bent[data.draw(st.integers(0, min(len(bent), 80) - 1))] = data.draw(st.integers(0, 255))
    for parse, _ in PARSERS.values():
        parse(bytes(bent))
    fuzz_payload(bytes(bent))


@given(st.binary(max_size=300))
@example(b"\x17\x03\x03\x00\x00" * 60)
def test_any_payload_is_taken(payload: bytes) -> None:
    for head in (b"", b"\x05\x00\x01", b"\x12\x01\x00\x40", b"\xb0\x60", b"\x16\x03\x01\x01\x00\x01", b"\xc0\0\0\0\1"):
        for parse, _ in PARSERS.values():
            parse(head + payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"<a:" * 20_000,
        b"<s:Envelope>" + b"<Types >" * 8_000,
        b"\x17\x03\x03\x00\x00" * 13_000,
        b"\x16\x03\x03\x00\x02\x01\xff" * 9_000,
        b"\x80\xc9\x00\x01\0\0\0\1" * 8_000,
        b"\x05\xff\xff" + b"ServerName;" * 5_900,
        b"\x05\xff\xff" + b"ServerName;a;InstanceName;b;IsClustered;No;Version;1;tcp;" * 1_100,
        bytes((0x47, 0x40, 0, 0x10)) + bytes(184),
        b"M-SEARCH * HTTP/1.1\r\n" + b"ST: x\r\n" * 9_000,
    ],
    ids=range(9),
)
def test_the_largest_payloads_take_no_longer_than_their_size_explains(payload: bytes) -> None:
    """Counted in lines run, not in seconds: a parser looks at most a few times at each byte."""
    import sys

    lines = 0

    def count(frame: Any, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += 1
        return count

    sys.settrace(count)
    try:
        for parse, _ in PARSERS.values():
            parse(payload[:65535])
    finally:
        sys.settrace(None)
    assert lines < 150_000
