"""Digifort frames: vectors written by hand from the layout, cut at every byte, damaged, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.evidence.digifort import MAGIC, Frame, component_of, parse_frame

NONCE = b"0123456789ABCDEF0123456789ABCDEF"
LOGIN = bytes.fromhex(
    "d151f027 0000003b 01 05 4c4f47494e 00000030 01 01000000 05 4e4f4e4345 08 20000000".replace(" ", "")
)
LOGIN += NONCE
VERSION = (
    bytes.fromhex("d151f027 00000041 01 15".replace(" ", ""))
    + b"CMD_ANALYTICS_VERSION"
    + bytes.fromhex("00000026 01 01000000 07".replace(" ", ""))
    + b"Version"
    + bytes.fromhex("08 14000000".replace(" ", ""))
    + b"DIGIFORT 6.5.0.0    "
)
LPR_PING = bytes.fromhex("d151f027 00000012 01 0c".replace(" ", "")) + b"CMD_LPR_PING" + bytes(4)
ANALYTICS_PING = bytes.fromhex("d151f027 00000018 01 12".replace(" ", "")) + b"CMD_ANALYTICS_PING" + bytes(4)
WHOLE = {
    LOGIN: Frame("LOGIN", "", 0x3B, False),
    VERSION: Frame("CMD_ANALYTICS_VERSION", "DIGIFORT 6.5.0.0", 0x41, False),
    LPR_PING: Frame("CMD_LPR_PING", "", 0x12, False),
    ANALYTICS_PING: Frame("CMD_ANALYTICS_PING", "", 0x18, False),
}


@pytest.mark.parametrize("vector", WHOLE, ids=lambda vector: WHOLE[vector].name)
def test_each_greeting(vector: bytes) -> None:
    assert parse_frame(vector) == WHOLE[vector]


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("LOGIN", "digifort.server"),
        ("CMD_ANALYTICS_VERSION", "digifort.analytics"),
        ("CMD_ANALYTICS_NONCE", "digifort.analytics"),
        ("CMD_LPR_PING", "digifort.lpr"),
        ("LOGIN2", None),
        ("CMD_OTHER_PING", None),
        ("", None),
    ],
)
def test_the_component_follows_from_the_name(name: str, component: str | None) -> None:
    assert component_of(name) == component


@pytest.mark.parametrize("vector", WHOLE, ids=lambda vector: WHOLE[vector].name)
def test_a_frame_cut_anywhere_says_less_but_nothing_else(vector: bytes) -> None:
    whole = WHOLE[vector]
    for size in range(len(vector)):
        found = parse_frame(vector[:size])
        if size < len(MAGIC):
            assert found is None, size
            continue
        assert found is not None, size
        assert found.cut
        assert found.name in ("", whole.name) and found.version in ("", whole.version)
        assert found.body_bytes in (0, whole.body_bytes)
        if size >= 10 + len(whole.name):
            assert found.name == whole.name


def test_the_first_of_several_frames_in_one_segment() -> None:
    assert parse_frame(ANALYTICS_PING + VERSION) == WHOLE[ANALYTICS_PING]


def test_the_nonce_is_nowhere() -> None:
    assert NONCE.decode() not in repr(parse_frame(LOGIN))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        MAGIC[:3],  # snaplen
        b"\0" + LOGIN,  # magic at offset 1
        MAGIC[2:] + LOGIN[4:],  # magic split over two segments: neither half is a frame
        MAGIC + b"\0\0\0\x05" + LOGIN[8:],  # a body shorter than its own fixed fields
        MAGIC + b"\xff\xff\xff\xff" + LOGIN[8:],
        LOGIN[:9] + b"\xff" + LOGIN[10:],  # a name longer than names are
        LOGIN[:9] + b"\0" + LOGIN[10:],
        LOGIN.replace(b"LOGIN", b"LOG\x1bN"),  # an escape sequence is no name
        LOGIN.replace(b"\0\0\0\x30", b"\0\0\0\x31"),  # lengths that contradict each other
    ],
)
def test_what_is_no_frame(payload: bytes) -> None:
    assert parse_frame(payload) is None


def test_a_frame_of_an_unknown_kind_has_no_name() -> None:
    assert parse_frame(LOGIN[:8] + b"\x02" + LOGIN[9:]) == Frame("", "", 0x3B, False)


def test_a_version_that_is_no_text_or_too_long_is_none() -> None:
    assert parse_frame(VERSION.replace(b"DIGIFORT", b"DIGI\x1b[2J")) == Frame("CMD_ANALYTICS_VERSION", "", 0x41, False)
    long = VERSION.replace(b"\x14\0\0\0", b"\xff\xff\xff\xff")
    assert parse_frame(long) == Frame("CMD_ANALYTICS_VERSION", "", 0x41, False)


@given(st.binary(max_size=120))
def test_any_bytes_behind_the_magic(noise: bytes) -> None:
    for payload in (noise, MAGIC + noise, LOGIN[:8] + noise, VERSION[:10] + noise):
        frame = parse_frame(payload)
        if frame:
            assert frame.name.isprintable() and len(frame.name) <= 64
            assert frame.version.isprintable() and len(frame.version) <= 64


@given(st.sampled_from(list(WHOLE)), st.integers(0, 66), st.integers(0, 255))
def test_a_changed_byte_gives_a_frame_or_none(vector: bytes, at: int, byte: int) -> None:
    changed = bytearray(vector)
    changed[at % len(vector)] = byte
    frame = parse_frame(bytes(changed))
    assert frame is None or NONCE.decode() not in repr(frame)
