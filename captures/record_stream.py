"""Record `recorded_streams.pcap`: ffmpeg's streams through a lossy link, and what that link did to them.

`sudo python captures/record_stream.py [FOLDER]` (Linux, root; needs iproute2, tcpdump, ffmpeg with libx264). It says
what is missing and ends with 1 where that is not there. ffmpeg in one network namespace sends H.264 and G.711 over RTP
and MPEG-TS over UDP; a relay passes them on to another namespace, where tcpdump listens. The relay loses, doubles and
delays by a pattern and keeps its own log, from which `truth/recorded_streams.json` is written. (`tc netem` would do the
same without telling which packets it took; many kernels do not have it.)
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NAME = "recorded_streams"
SECONDS = 6
NAMESPACE = f"vmsrel{os.getpid()}"
CAMERA, SERVER = "10.30.0.31", "10.30.0.5"
NEEDED = ("ip", "tcpdump", "ffmpeg")


@dataclass
class Stream:
    """One stream through the relay: ffmpeg sends to `entry` on this machine, the relay from `sport` to `dport`."""

    name: str
    entry: int
    sport: int
    dport: int
    lost: tuple[range, ...]  # by the count of datagrams, from 0
    twice: tuple[int, ...] = ()
    late: tuple[int, ...] = ()  # passed on behind the next one
    sent: list[bytes] = field(default_factory=list)
    passed: list[bytes] = field(default_factory=list)

    def pass_on(self, datagram: bytes) -> Iterator[bytes]:
        """The datagrams that leave the relay when this one enters."""
        count = len(self.sent)
        self.sent.append(datagram)
        out = [] if any(count in burst for burst in self.lost) else [datagram]
        if count in self.twice:
            out *= 2
        if count in self.late:
            return
        if count - 1 in self.late:
            out.append(self.sent[-2])
        self.passed += out
        yield from out


def streams() -> list[Stream]:
    """The three streams and what the link does to them."""
    return [
        Stream("h264", 7000, 6970, 3456, (range(30, 31), range(70, 74), range(95, 107)), twice=(20, 50), late=(40, 60)),
        Stream("pcmu", 7010, 6980, 3460, (range(25, 26), range(100, 103), range(200, 201)), twice=(50,), late=(150,)),
        Stream("mpegts", 7020, 6990, 3470, (range(12, 13), range(30, 32))),
    ]


# What the log says


def rtp_truth(stream: Stream) -> dict[str, Any]:
    """Figures of an RTP stream from the log: the order in which datagrams entered numbers them."""
    number = {datagram[:12]: count for count, datagram in enumerate(stream.sent)}
    came = [number[datagram[:12]] for datagram in stream.passed]
    missing = sorted(set(range(min(came), max(came) + 1)) - set(came))
    bursts = [0]
    for count in range(min(came), max(came) + 1):
        bursts[-1 if count in missing else len(bursts) :] = [bursts[-1] + 1 if count in missing else 0]
    highest, had, reordered = -1, set(), 0
    shown = set()  # time stamps of what came in order: a picture that only came late is none
    for count in came:
        reordered += count < highest and count not in had
        if count > highest:
            shown.add(stream.sent[count][4:8])
        highest = max(highest, count)
        had.add(count)
    first = stream.sent[0]
    return {
        "kind": "rtp",
        "ssrc": f"0x{int.from_bytes(first[8:12], 'big'):08x}",
        "payload_type": first[1] & 0x7F,
        "packets": len(came),
        "expected": max(came) - min(came) + 1,
        "lost": len(missing),
        "duplicates": len(came) - len(set(came)),
        "reordered": reordered,
        "longest_burst_lost": max(bursts),
        "frames": len(shown),
    }


def ts_truth(stream: Stream) -> dict[str, Any]:
    """Figures of a transport stream from the log: cells with payload, numbered per PID as they entered."""
    where: dict[tuple[int, int], int] = {}
    counts: dict[int, int] = {}
    for count, datagram in enumerate(stream.sent):
        for place, pid in cells(datagram):
            counts[pid] = counts.get(pid, 0) + 1
            where[count, place] = counts[pid]
    kept: dict[int, list[int]] = {}
    for count, datagram in enumerate(stream.sent):
        if not any(count in burst for burst in stream.lost):
            for place, pid in cells(datagram):
                kept.setdefault(pid, []).append(where[count, place])
    breaks = sum((after - before - 1) % 16 > 0 for found in kept.values() for before, after in pairwise(found))
    return {"kind": "mpegts", "packets": len(stream.passed), "pids": sorted(kept), "cc_errors": breaks}


def cells(datagram: bytes) -> Iterator[tuple[int, int]]:
    """(place, PID) of the cells that have a payload and so count; stuffing (PID 8191) does not."""
    for place in range(0, len(datagram), 188):
        pid = (datagram[place + 1] & 0x1F) << 8 | datagram[place + 2]
        if datagram[place + 3] & 0x10 and pid != 0x1FFF:
            yield place, pid


def truth(every: list[Stream]) -> dict[str, Any]:
    """What a capture behind the relay must show."""
    out = []
    for stream in every:
        ends = {"sender_address": CAMERA, "sender_port": stream.sport, "receiver_port": stream.dport}
        ends |= {"receiver_address": SERVER, "relay_lost": len(stream.sent) - len(set(stream.passed))}
        out.append(
            {"name": stream.name, **ends, **(ts_truth(stream) if stream.name == "mpegts" else rtp_truth(stream))}
        )
    return {"capture": f"{NAME}.pcap", "streams": out}


# The link


def relay(stream: Stream, offset: int) -> None:
    """Pass datagrams on until the process ends; `offset` 1 is RTCP, which the link leaves alone."""
    entry = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    entry.bind(("127.0.0.1", stream.entry + offset))
    leave = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    leave.bind((CAMERA, stream.sport + offset))
    while True:
        datagram = entry.recv(65_536)
        for each in [datagram] if offset else stream.pass_on(datagram):
            leave.sendto(each, (SERVER, stream.dport + offset))


def act_relay(folder: Path) -> None:
    """The relay's process: its log becomes the truth when a line comes on standard input.

    It stays on one processor: each has a queue of its own to the link, so a thread that is moved between two
    datagrams may have them overtake each other behind the log's back.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    every = streams()
    for stream in every:
        for offset in (0,) if stream.name == "mpegts" else (0, 1):
            threading.Thread(target=relay, args=(stream, offset), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.readline()
    text = json.dumps(truth(every), indent=1) + "\n"
    (folder / "truth" / f"{NAME}.json").write_text(text, encoding="utf-8")


def act_server() -> None:
    """Listen, so that nobody answers with ICMP errors."""
    held = []
    for stream in streams():
        for port in (stream.dport, stream.dport + 1):
            held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            held[-1].bind(("", port))
    sys.stdin.readline()


# The recording


def missing() -> list[str]:
    """What this machine lacks to record."""
    lacks = [name for name in NEEDED if shutil.which(name) is None]
    if os.name != "posix" or os.geteuid() != 0:
        lacks.append("root")
    if not lacks:
        made = subprocess.run(["ip", "netns", "add", f"{NAMESPACE}-try"], check=False, capture_output=True)
        if made.returncode:
            lacks.append("network namespaces")
        subprocess.run(["ip", "netns", "del", f"{NAMESPACE}-try"], check=False, capture_output=True)
    return lacks


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def inside(which: str, *words: str) -> list[str]:
    return ["ip", "netns", "exec", f"{NAMESPACE}-{which}", *words]


def build_network() -> None:
    """Two namespaces and a cable."""
    for which in ("camera", "server"):
        ip("netns", "add", f"{NAMESPACE}-{which}")
        ip("-n", f"{NAMESPACE}-{which}", "link", "set", "lo", "up")
    camera, server = f"{NAMESPACE}-camera", f"{NAMESPACE}-server"
    ip("-n", camera, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", server)
    for which, address, number in ((camera, CAMERA, 0x31), (server, SERVER, 5)):
        ip("-n", which, "link", "set", "eth0", "address", f"02:00:5e:1e:00:{number:02x}")
        ip("-n", which, "addr", "add", f"{address}/24", "dev", "eth0")
        ip("-n", which, "link", "set", "eth0", "up")


def ffmpeg(stream: Stream) -> list[str]:
    """One camera's command."""
    picture = ["-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25", "-t", str(SECONDS)]
    video = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-pix_fmt", "yuv420p"]
    url = f"127.0.0.1:{stream.entry}"
    if stream.name == "h264":
        kind = [*picture, *video, "-b:v", "70k", "-maxrate", "80k", "-bufsize", "40k", "-threads", "1"]
        kind += ["-f", "rtp", f"rtp://{url}?pkt_size=400"]
    elif stream.name == "pcmu":
        sound = ["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000", "-t", str(SECONDS)]
        kind = [*sound, "-c:a", "pcm_mulaw", "-ac", "1", "-f", "rtp", f"rtp://{url}?pkt_size=172"]
    else:
        kind = [*picture, *video, "-b:v", "50k", "-maxrate", "60k", "-bufsize", "30k", "-threads", "1"]
        kind += ["-f", "mpegts", f"udp://{url}?pkt_size=1316"]
    return inside("camera", "ffmpeg", "-nostdin", "-loglevel", "error", *kind)


def record(folder: Path) -> None:
    """Build the network, run everybody, write the capture and the truth."""
    running: list[subprocess.Popen[Any]] = []

    def start(words: list[str], **options: Any) -> subprocess.Popen[Any]:
        running.append(subprocess.Popen(words, **options))
        return running[-1]

    (folder / "truth").mkdir(parents=True, exist_ok=True)
    try:
        build_network()
        target = str(folder / f"{NAME}.pcap")
        dump = ["tcpdump", "-i", "eth0", "-s", "1400", "-U", "-Z", "root", "-w", target, "udp"]
        tcpdump = start(inside("server", *dump))
        start(inside("server", sys.executable, __file__, "act-server"), stdin=subprocess.PIPE)
        acting = inside("camera", sys.executable, __file__, "act-relay", str(folder))
        link = start(acting, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert link.stdin and link.stdout
        link.stdout.readline()
        time.sleep(1)
        cameras = [start(ffmpeg(stream), stdout=subprocess.DEVNULL) for stream in streams()]
        for camera in cameras:
            camera.wait(timeout=SECONDS + 20)
        time.sleep(1)
        link.stdin.write(b"\n")
        link.stdin.close()
        link.wait(timeout=10)
        tcpdump.terminate()
        tcpdump.wait()
    finally:
        for process in reversed(running):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        for which in ("camera", "server"):
            subprocess.run(["ip", "netns", "del", f"{NAMESPACE}-{which}"], check=False, stderr=subprocess.DEVNULL)


def main(words: list[str]) -> int:
    if words[:1] == ["act-relay"]:
        act_relay(Path(words[1]))
    elif words[:1] == ["act-server"]:
        act_server()
    else:
        lacks = missing()
        if lacks:
            print(f"cannot record here, missing: {', '.join(lacks)}", file=sys.stderr)
            return 1
        record(Path(words[0]) if words else HERE)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
