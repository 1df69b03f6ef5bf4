"""RTP payload types whose meaning is fixed: encoding name and clock rate.

In: nothing. Out: `PAYLOAD_TYPES`, and `CLOCKS` for kernels. Source: RFC 3551 tables 4 and 5. Next: `flows.streams`,
which needs the clock of a stream while packets pass, and `evidence.rtp`.
"""

from __future__ import annotations

# G722 counts 8,000 ticks a second, though it samples at 16,000
PAYLOAD_TYPES = {
    0: ("PCMU", 8000),
    3: ("GSM", 8000),
    4: ("G723", 8000),
    5: ("DVI4", 8000),
    6: ("DVI4", 16000),
    7: ("LPC", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),
    10: ("L16", 44100),
    11: ("L16", 44100),
    12: ("QCELP", 8000),
    13: ("CN", 8000),
    14: ("MPA", 90000),
    15: ("G728", 8000),
    16: ("DVI4", 11025),
    17: ("DVI4", 22050),
    18: ("G729", 8000),
    25: ("CelB", 90000),
    26: ("JPEG", 90000),
    28: ("nv", 90000),
    31: ("H261", 90000),
    32: ("MPV", 90000),
    33: ("MP2T", 90000),
    34: ("H263", 90000),
}
CLOCKS = tuple(PAYLOAD_TYPES.get(number, ("", 0))[1] for number in range(128))
"""Clock rate by payload type, 0 where it is not fixed."""
MP2T = 33

# What an RTP payload begins with, beside a packet's header (`PACKET.icmp_type`); several may hold
FITS_AVC = 1  # as H.264 does
KEY_AVC = 2  # ... a picture that decoding can start at
FITS_HEVC = 4  # as H.265 does
KEY_HEVC = 8
