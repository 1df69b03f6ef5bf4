"""Looking closely at a few flows: their packets in scapy, in pyshark, or in a capture file of their own.

In: a report and flow ids; the captures are read again (`engine.flow_records`). Out: scapy or pyshark packets, or a
pcapng or pcap file. Next: a notebook. scapy, pyshark and tshark are used here only, and only when asked for.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from classifier.errors import CaptureError, ClassifierError
from classifier.files import whole_file

if TYPE_CHECKING:
    from classifier.report import Report

Record = tuple[int, int, int, int, int, bytes]
"""capture, record number, ts_ns, link type, wire bytes, frame"""


class ToolMissingError(ClassifierError):
    """A program that is not part of this package is needed and is not installed."""


def records(report: Report, flow_ids: Sequence[int]) -> Iterator[Record]:
    """The records of flows, in reading order; raises CaptureError when a capture is gone or was standard input."""
    from classifier.engine import flow_records

    for source in report.facts.read.sources:
        if source == "-":
            raise CaptureError("-", "standard input cannot be read again: save it to a file first")
    return flow_records(report.facts.read, flow_ids)


# -- scapy


def packets(report: Report, flow_id: int, limit: int | None = None) -> Any:
    """A flow's packets as a scapy PacketList, with our layers for SSRP and Digifort frames bound.

    Every packet has `time` (to the nanosecond), `wirelen`, and in `comment` its record in the capture. `limit` ends
    after so many packets. A link type that scapy does not know gives Raw packets.
    """
    scapy = load_scapy()
    found: list[Any] = []
    names = [info.path for info in report.captures]
    for capture, number, ts_ns, link, wire, frame in records(report, [flow_id]):
        if limit is not None and len(found) >= limit:
            break
        packet = scapy.dissect(link, frame)
        packet.time = scapy.seconds(ts_ns)
        packet.wirelen = wire
        packet.comment = f"record {number} of {names[capture]}".encode("utf-8", "backslashreplace")
        found.append(packet)
    return scapy.packet_list(found, name=f"flow {flow_id}")


class _Scapy:
    """The few names of scapy that are used here."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old ciphers and missing libraries are nobody's concern here
            from scapy.config import conf
            from scapy.packet import Raw
            from scapy.plist import PacketList
            from scapy.utils import EDecimal

            import classifier.scapy_layers  # noqa: F401  (binds our layers)
        self.conf, self.raw, self.packet_list, self.decimal = conf, Raw, PacketList, EDecimal

    def dissect(self, link: int, frame: bytes) -> Any:
        layer = self.conf.l2types.num2layer.get(link, self.raw)
        try:
            return layer(frame)
        except Exception:  # a dissector that a damaged packet breaks
            return self.raw(frame)

    def seconds(self, ts_ns: int) -> Any:
        return self.decimal(ts_ns) / self.decimal(10**9)


_scapy: _Scapy | None = None


def load_scapy() -> _Scapy:
    """scapy with its layers, imported once."""
    global _scapy
    if _scapy is None:
        _scapy = _Scapy()
    return _scapy


# -- pyshark


def find_tshark() -> str:
    """Path of tshark; raises ToolMissingError with what to do when there is none."""
    path = shutil.which("tshark")
    if path is None and os.name == "nt":
        standard = Path(os.environ.get("ProgramFiles", "C:\\Program Files")) / "Wireshark" / "tshark.exe"  # noqa: SIM112
        path = str(standard) if standard.is_file() else None
    if path is None:
        raise ToolMissingError(
            "dissect() needs tshark, which is not installed or not in PATH: install Wireshark (Debian and Ubuntu: "
            "apt install tshark), or use packets(), which needs only scapy"
        )
    return path


def dissect(report: Report, flow_id: int, **options: Any) -> list[Any]:
    """A flow's packets as pyshark packets; `options` go to `pyshark.FileCapture` (`decode_as`, `display_filter`, ...).

    tshark runs under an event loop of its own in a thread of its own, so that this works where a loop already runs (as
    in Jupyter). It has ended, and its pipes are closed, before this returns.
    """
    tshark = find_tshark()
    with tempfile.TemporaryDirectory(prefix="vms-classifier-") as folder:
        path = Path(folder, "flow.pcapng")
        slice_flows(report, [flow_id], path)
        found: list[Any] = _in_thread(lambda: _dissect_file(path, tshark, options))
    return found


def _in_thread(work: Any) -> Any:
    """The result of `work()` in a fresh thread, its exception raised here."""
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="vms-classifier-dissect", daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def _dissect_file(path: Path, tshark: str, options: dict[str, Any]) -> list[Any]:
    import asyncio

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pyshark uses what newer Pythons deprecate
        import pyshark

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        capture = None
        try:
            capture = pyshark.FileCapture(str(path), tshark_path=tshark, eventloop=loop, **options)
            capture.load_packets()
            return list(capture._packets)
        finally:
            if capture is not None:
                loop.run_until_complete(_close(capture))
            loop.run_until_complete(loop.shutdown_asyncgens())
            asyncio.set_event_loop(None)
            loop.close()


async def _close(capture: Any) -> None:
    await capture.close_async()


# -- a file of chosen flows


def slice_flows(report: Report, flow_ids: Sequence[int], path: str | os.PathLike[str]) -> int:
    """Write the packets of some flows to `path` in reading order and return their number.

    pcapng with nanoseconds, or pcap with nanoseconds when the suffix is `.pcap`. The file appears whole or not at all.
    Raises ValueError when `path` is one of the report's captures or when a pcap file cannot hold several link types.
    """
    target = Path(path)
    for source in report.facts.read.sources:
        if isinstance(source, str | os.PathLike) and target.exists() and Path(source).exists():
            if target.samefile(source):
                raise ValueError(f"{target} is a capture of this report: choose another file")
    write = _write_pcap if target.suffix.lower() in (".pcap", ".cap") else _write_pcapng
    found = records(report, flow_ids) if flow_ids else iter(())
    with whole_file(target) as file:
        return write(file, found)


def _write_pcapng(file: BinaryIO, found: Iterable[Record]) -> int:
    """Section header, an interface per capture and link type, enhanced packet blocks (draft-ietf-opsawg-pcapng)."""
    application = b"vms-classifier"
    _block(file, 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(4, application) + _option(0, b""))
    interfaces: dict[tuple[int, int], int] = {}
    count = 0
    for capture, _, ts_ns, link, wire, frame in found:
        interface = interfaces.get((capture, link))
        if interface is None:
            interface = interfaces[capture, link] = len(interfaces)
            _block(file, 1, struct.pack("<HHI", link & 0xFFFF, 0, 0) + _option(9, b"\x09") + _option(0, b""))
        stamp = max(0, ts_ns)
        head = struct.pack("<IIIII", interface, stamp >> 32, stamp & 0xFFFFFFFF, len(frame), wire & 0xFFFFFFFF)
        _block(file, 6, head + frame + b"\0" * (-len(frame) % 4))
        count += 1
    return count


def _block(file: BinaryIO, kind: int, body: bytes) -> None:
    length = struct.pack("<I", 12 + len(body))
    file.write(struct.pack("<I", kind) + length + body + length)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def _write_pcap(file: BinaryIO, found: Iterable[Record]) -> int:
    """File header and records with nanoseconds (draft-ietf-opsawg-pcap)."""
    first_link: int | None = None
    count = 0
    for _, _, ts_ns, link, wire, frame in found:
        if first_link is None:
            first_link = link
            file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link))
        elif link != first_link:
            raise ValueError("these flows have several link types, which a pcap file cannot hold: use .pcapng")
        seconds, rest = divmod(max(0, ts_ns), 10**9)
        file.write(struct.pack("<IIII", seconds & 0xFFFFFFFF, rest, len(frame), wire & 0xFFFFFFFF) + frame)
        count += 1
    if first_link is None:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
    return count


__all__ = ["ToolMissingError", "dissect", "find_tshark", "packets", "slice_flows"]
