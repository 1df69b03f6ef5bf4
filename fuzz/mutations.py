"""Seeded mutations of capture files: what a bad disk, a bad tool or a bad person does to one.

In: a number generator and the bytes of captures. Out: bytes of a mutated capture, the same for the same seed. Next:
`fuzz/mutate.py`, `tests/test_hostile_mutations.py`.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

LARGEST = 16_384
"""Bytes of a file that are mutated; what is longer is cut here first."""

LENGTHS = (
    0, 1, 2, 3, 4, 7, 8, 12, 15, 16, 27, 28, 31, 32, 64, 127, 128, 255, 256, 1500, 4096, 65_535, 65_536, 262_144,
    262_145, 1 << 20, (1 << 24) - 1, 1 << 24, (1 << 24) + 1, 0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC,
    0xFFFFFFFE, 0xFFFFFFFF,
)  # fmt: skip
"""Numbers on both sides of every bound in the readers."""

_PCAP_HEADER = 24


def _place(rng: random.Random, data: bytearray) -> int:
    """A place, three times out of four behind the file's header, so that most mutants still are captures."""
    low = _PCAP_HEADER if len(data) > 2 * _PCAP_HEADER and rng.random() < 0.75 else 0
    return rng.randrange(low, len(data))


def flip_bits(rng: random.Random, data: bytearray, _other: bytes) -> None:
    """A few bits, near each other or not."""
    for _ in range(1 << rng.randrange(5)):
        data[_place(rng, data)] ^= 1 << rng.randrange(8)


def set_bytes(rng: random.Random, data: bytearray, _other: bytes) -> None:
    """A run of one value or of noise."""
    at = _place(rng, data)
    size = min(1 << rng.randrange(8), len(data) - at)
    data[at : at + size] = bytes([rng.choice((0, 0xFF, 0x41))]) * size if rng.random() < 0.5 else rng.randbytes(size)


def lie_about_a_length(rng: random.Random, data: bytearray, _other: bytes) -> None:
    """Write a telling number of 1, 2 or 4 bytes, either byte order, mostly aligned."""
    size, form = rng.choice(((1, "B"), (2, "H"), (4, "I"), (4, "I"), (4, "I")))
    at = _place(rng, data)
    if rng.random() < 0.7:
        at -= at % 4
    if at + size <= len(data):
        value = rng.choice(LENGTHS) if rng.random() < 0.8 else rng.randrange(len(data) + 20)
        data[at : at + size] = struct.pack(rng.choice("<>") + form, value & ((1 << 8 * size) - 1))


def lie_near_a_length(rng: random.Random, data: bytearray, _other: bytes) -> None:
    """Add or take a little from a little-endian number that is small enough to be a length."""
    for _ in range(20):
        at = _place(rng, data) // 4 * 4
        if at + 4 > len(data):
            continue
        value = int.from_bytes(data[at : at + 4], "little")
        if 0 < value < 70_000:
            changed = max(value + rng.choice((-16, -4, -1, 1, 4, 16, 1000)), 0)
            data[at : at + 4] = struct.pack("<I", changed)
            return


def cut_the_end(rng: random.Random, data: bytearray, _other: bytes) -> None:
    """The file ends early."""
    del data[rng.randrange(1, len(data) + 1) :]


def delete(rng: random.Random, data: bytearray, _other: bytes) -> None:
    """Some bytes are missing."""
    at = _place(rng, data)
    del data[at : at + 1 + rng.randrange(1 << rng.randrange(1, 10))]


def insert(rng: random.Random, data: bytearray, _other: bytes) -> None:
    """Some bytes are too many."""
    at = _place(rng, data)
    data[at:at] = rng.randbytes(1 << rng.randrange(9))


def repeat(rng: random.Random, data: bytearray, _other: bytes) -> None:
    """A piece comes again, here or elsewhere."""
    at = _place(rng, data)
    piece = bytes(data[at : at + (1 << rng.randrange(4, 11))])
    there = _place(rng, data)
    data[there:there] = piece * rng.choice((1, 1, 2, 8))


def swap(rng: random.Random, data: bytearray, _other: bytes) -> None:
    """Two pieces change places."""
    size = 1 << rng.randrange(2, 9)
    a, b = _place(rng, data), _place(rng, data)
    a, b = min(a, b), max(a, b)
    if a + size <= b and b + size <= len(data):
        data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


def splice(rng: random.Random, data: bytearray, other: bytes) -> None:
    """The rest is another capture's."""
    if other:
        data[_place(rng, data) :] = other[rng.randrange(len(other)) :]


def overlay(rng: random.Random, data: bytearray, other: bytes) -> None:
    """A piece of another capture is written over ours."""
    if other:
        start, at = rng.randrange(len(other)), _place(rng, data)
        piece = other[start : start + (1 << rng.randrange(3, 11))]
        data[at : at + len(piece)] = piece


def rearrange_records(rng: random.Random, data: bytearray, _other: bytes) -> None:
    """Whole packets of a little-endian pcap are missing, come twice, out of order or at another time."""
    if data[:4] not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
        return
    at, records = _PCAP_HEADER, []
    while at + 16 <= len(data):
        size = 16 + int.from_bytes(data[at + 8 : at + 12], "little")
        if at + size > len(data):
            break
        records.append(data[at : at + size])
        at += size
    for _ in range(1 << rng.randrange(6)):
        if not records:
            return
        k, many = rng.randrange(len(records)), 1 << rng.randrange(6)
        kind = rng.randrange(5)
        if kind == 0:
            del records[k : k + many]
        elif kind == 1:
            records[k:k] = records[k : k + many]
        elif kind == 2:
            run = records[k : k + many]
            rng.shuffle(run)
            records[k : k + many] = run
        elif kind == 3:
            records.insert(rng.randrange(len(records)), records[k])
        else:
            late = rng.choice((1, 60, 600, 86_400, 400_000_000, -1, -600, rng.randrange(1 << 32)))
            for record in records[k:] if rng.random() < 0.5 else records[k : k + 1]:
                record[:4] = struct.pack("<I", (int.from_bytes(record[:4], "little") + late) % (1 << 32))
    data[_PCAP_HEADER:] = b"".join(records)


MUTATIONS: tuple[Callable[[random.Random, bytearray, bytes], None], ...] = (
    flip_bits, flip_bits, set_bytes, lie_about_a_length, lie_about_a_length, lie_near_a_length, cut_the_end, delete,
    insert, repeat, swap, splice, overlay, rearrange_records, rearrange_records,
)  # fmt: skip


def mutant(seed: int, number: int, seeds: Sequence[bytes], largest: int = LARGEST) -> bytes:
    """Mutated file `number` of the sequence that `seed` starts; never empty, at most twice `largest` bytes."""
    rng = random.Random(seed << 40 | number)
    data = bytearray(rng.choice(seeds)[:largest])
    other = rng.choice(seeds)[:largest]
    for _ in range(1 + rng.randrange(1 << rng.randrange(4))):
        if not data:
            break
        rng.choice(MUTATIONS)(rng, data, other)
        del data[2 * largest :]
    return bytes(data) or b"\0"
