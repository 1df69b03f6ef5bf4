"""Record `recorded_site.pcap`: real programs in Linux network namespaces, seen by tcpdump on the bridge between them.

`sudo python captures/record_site.py [OUTPUT]` (Linux, root; needs iproute2, tcpdump, ffmpeg with libx264, nginx, tsql).
Cameras are ffmpeg (RTP over UDP, and to a multicast group), joins come from the kernel, the web server is nginx, the
SSRP questions and the SQL login come from FreeTDS; what nobody can install (the products' services) are small sockets
on their ports. It takes about 30 seconds and differs in detail from run to run, so the recorded file is checked in.
Afterwards `record_truth.py` writes the truth from the known roles of the namespaces.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from makers import payloads  # noqa: E402

SECONDS = 20
SNAPLEN = 256
NETWORK = "10.20.0"
GROUP, ANNOUNCE_GROUP, SSDP_GROUP = "225.5.10.1", "225.0.0.100", "239.255.255.250"
HOSTS = {
    "server": 10,
    "analytics": 11,
    "lpr": 12,
    "watch": 21,
    "door": 22,
    "admin": 23,
    "camera1": 31,
    "camera2": 32,
    "recorder": 40,
    "database": 41,
    "control": 42,
}
SQL_PORT = 49_800
INSTANCE = "SITESQL"
NAMESPACE = f"vmsrec{os.getpid()}"


def address(host: str) -> str:
    """The host's IPv4 address."""
    return f"{NETWORK}.{HOSTS[host]}"


# What the hosts do; each function runs in its own process, in its host's namespace


def each(accepting: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    """Serve every connection in a thread of its own."""

    def loop() -> None:
        while True:
            connection, _peer = accepting.accept()
            threading.Thread(target=quietly, args=(serve, connection), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()


def quietly(serve: Callable[[socket.socket], None], connection: socket.socket) -> None:
    """Serve until the other side is gone."""
    with connection, contextlib.suppress(OSError):
        serve(connection)


def listen(port: int, serve: Callable[[socket.socket], None]) -> None:
    """A TCP service."""
    each(socket.create_server(("", port)), serve)


def connect(host: str, port: int) -> socket.socket:
    """A TCP connection, patient while the other side is still starting."""
    for _ in range(40):
        with contextlib.suppress(OSError):
            return socket.create_connection((address(host), port), timeout=10)
        time.sleep(0.1)
    raise SystemExit(f"nobody listens on {host}:{port}")


def joined(*groups: str, port: int = 0) -> socket.socket:
    """A UDP socket that is a member of groups (the kernel sends the IGMP reports)."""
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.bind(("", port))
    for group in groups:
        own.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton("0.0.0.0")
        )
    return own


def announce(name: str) -> None:
    """Say every five seconds on 225.0.0.100:8650 that this service is here (the real format is not public)."""

    def loop() -> None:
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while True:
            own.sendto(b"\x02" + name.encode().ljust(24, b"\0") + bytes(40), (ANNOUNCE_GROUP, 8650))
            time.sleep(5)

    threading.Thread(target=loop, daemon=True).start()


def server() -> None:
    """8600, 8601, media sinks, announcements; a client of the analytics and LPR servers."""
    import random

    rng = random.Random(1)

    def watch(connection: socket.socket) -> None:
        connection.sendall(payloads.digifort_login(rng))
        connection.recv(200)
        while True:
            connection.sendall(rng.randbytes(1800))
            time.sleep(0.7)

    def api(connection: socket.socket) -> None:
        connection.recv(2000)
        picture = payloads.jpeg(rng, 5000)
        connection.sendall(payloads.http_reply("200 OK", picture, "image/jpeg", "Connection: close"))

    listen(8600, watch)
    listen(8601, api)
    sinks = [joined(port=port) for port in (3000, 3001, 3002, 3003)]
    announcements = joined(ANNOUNCE_GROUP, port=8650)
    announce("SERVER")
    time.sleep(2)
    data = [connect("analytics", 8610), connect("lpr", 8611)]
    end = time.monotonic() + SECONDS - 4
    while time.monotonic() < end:
        for connection in data:
            connection.sendall(rng.randbytes(1500))
        time.sleep(1.5)
    for connection in data:
        connection.close()
    time.sleep(4)
    del sinks, announcements


def speaking(greeting: bytes) -> Callable[[socket.socket], None]:
    """A service that speaks first and then listens."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(greeting)
        while connection.recv(65_536):
            connection.sendall(b"\x06\x01ok")

    return serve


def analytics() -> None:
    """8610."""
    listen(8610, speaking(payloads.digifort_analytics_version()))
    announce("ANALYTICS")
    time.sleep(SECONDS + 5)


def lpr() -> None:
    """8611."""
    listen(8611, speaking(payloads.digifort_ping("CMD_LPR_PING")))
    announce("LPR")
    time.sleep(SECONDS + 5)


def watch() -> None:
    """A client on 8600 that also receives multicast; one try at a port where nothing listens."""
    own = joined(GROUP, port=1025)
    connection = connect("server", 8600)
    connection.recv(200)
    connection.sendall(b"\x01 let me see")
    end = time.monotonic() + SECONDS - 6
    while time.monotonic() < end:
        connection.recv(65_536)
    connection.close()
    with contextlib.suppress(OSError):
        socket.create_connection((address("analytics"), 8600), timeout=2)
    own.close()


def door() -> None:
    """Asks the HTTP API for pictures and nginx for its page, without and with (fake) credentials."""
    time.sleep(2)
    where = address("server")
    for number in range(4):
        path = f"/Interface/Cameras/GetSnapshot?Camera=Door{number}&AuthUser=door&AuthPass={payloads.FAKE}"
        with connect("server", 8601) as connection:
            connection.sendall(payloads.http_request("GET", path, f"{where}:8601"))
            while connection.recv(65_536):
                pass
        headers = ["Connection: close"]
        if number:
            headers.append("Authorization: Basic UkVEQUNULU1FOlJFREFDVC1NRQ==")  # REDACT-ME:REDACT-ME
        with connect("server", 80) as connection:
            connection.sendall(payloads.http_request("GET", "/", where, *headers))
            while connection.recv(65_536):
                pass
        time.sleep(3)


def admin() -> None:
    """The administration client's search: from 8660 to the SSDP group, answers come back to 8660."""
    time.sleep(5)
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind(("", 8660))
    connection = connect("server", 8600)
    connection.recv(200)
    for _ in range(2):
        own.sendto(payloads.ssdp_search("upnp:rootdevice"), (SSDP_GROUP, 1900))
        time.sleep(3)
    connection.close()


def camera(name: str) -> None:
    """Answers searches (the picture is sent by ffmpeg)."""
    own = joined(SSDP_GROUP, port=1900)
    own.settimeout(SECONDS + 5)
    with contextlib.suppress(TimeoutError):
        while True:
            _data, peer = own.recvfrom(2000)
            own.sendto(payloads.ssdp_reply(address(name), "Linux UPnP/1.0 Camera/1.0", f"{name}-0001"), peer)


def recorder() -> None:
    """18772, 17772, and sound to a client on 18778."""
    import random

    rng = random.Random(2)

    def video(connection: socket.socket) -> None:
        connection.recv(200)
        while True:
            connection.sendall(b"\x33" + rng.randbytes(1500))
            time.sleep(0.8)

    def version(connection: socket.socket) -> None:
        connection.recv(200)
        connection.sendall(b"\x33version 7.3")

    listen(18_772, video)
    listen(17_772, version)
    time.sleep(6)
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for count in range(60):
        own.sendto(b"\x01\x00" + count.to_bytes(2, "big") + rng.randbytes(320), (address("control"), 18_778))
        time.sleep(0.1)
    time.sleep(SECONDS)


def database() -> None:
    """1434/udp answers FreeTDS's questions, the announced port speaks TDS until the login, then refuses it."""

    def sql(connection: socket.socket) -> None:
        connection.recv(2000)
        connection.sendall(payloads.tds_prelogin(bytes.fromhex("0a3206400000"), reply=True))
        connection.recv(2000)  # the login; it is refused
        connection.sendall(payloads.tds(0x04, struct.pack("<BHHQ", 0xFD, 0x02, 0, 0)))
        time.sleep(0.5)

    listen(SQL_PORT, sql)
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind(("", 1434))
    own.settimeout(SECONDS + 5)
    with contextlib.suppress(TimeoutError):
        while True:
            question, peer = own.recvfrom(2000)
            if question[:1] in (b"\x02", b"\x03", b"\x04"):
                own.sendto(payloads.ssrp_reply("DATABASE", INSTANCE, "10.50.1600.1", SQL_PORT), peer)


def control() -> None:
    """ControlPoint's part: FreeTDS asks for the port and logs in, then video and diagnostics."""
    sound = joined(port=18_778)
    time.sleep(2)
    environment = {**os.environ, "TDSVER": "7.4"}
    where = address("database")
    run = {"env": environment, "input": b"exit\n", "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    named = ["unshare", "--uts", "sh", "-c", 'hostname control && exec "$@"', "sh"]  # the login carries the host's name
    subprocess.run([*named, "tsql", "-L", "-H", where], check=False, timeout=10, **run)  # type: ignore[call-overload]
    login = [*named, "tsql", "-S", f"{where}\\{INSTANCE}", "-U", "nobody", "-P", payloads.FAKE]
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(login, check=False, timeout=8, **run)  # type: ignore[call-overload]
    connection = connect("recorder", 17_772)
    connection.sendall(b"\x33version?")
    connection.recv(200)
    connection.close()
    connection = connect("recorder", 18_772)
    connection.sendall(b"\x33camera 1")
    end = time.monotonic() + SECONDS - 8
    while time.monotonic() < end:
        connection.recv(65_536)
    connection.close()
    sound.close()


ACTORS: dict[str, Callable[[], None]] = {
    "server": server,
    "analytics": analytics,
    "lpr": lpr,
    "watch": watch,
    "door": door,
    "admin": admin,
    "camera1": lambda: camera("camera1"),
    "camera2": lambda: camera("camera2"),
    "recorder": recorder,
    "database": database,
    "control": control,
}


def without_offload(interface: str) -> None:
    """Switch checksum and segmentation offload off, so that frames are recorded as a wire would show them."""
    import ctypes
    import fcntl

    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for command in (0x17, 0x1F, 0x24, 0x2C):  # ETHTOOL_STXCSUM, STSO, SGSO, SGRO
        value = struct.pack("II", command, 0)
        holder = bytearray(value)
        buffer = (ctypes.c_char * len(holder)).from_buffer(holder)
        request = struct.pack("16sP", interface.encode(), ctypes.addressof(buffer))
        with contextlib.suppress(OSError):
            fcntl.ioctl(own, 0x8946, request)  # SIOCETHTOOL


# The network and the recording


def ip(*words: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *words], check=True)


def inside(host: str, *words: str) -> list[str]:
    """A command line in the host's namespace."""
    return ["ip", "netns", "exec", f"{NAMESPACE}-{host}", *words]


def build_network() -> None:
    """One namespace with a bridge (snooping, querier) and one namespace per host."""
    ip("netns", "add", f"{NAMESPACE}-switch")
    switch = ("-n", f"{NAMESPACE}-switch")
    ip(*switch, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
    ip(*switch, "addr", "add", f"{NETWORK}.1/24", "dev", "br0")
    for host, number in HOSTS.items():
        namespace = f"{NAMESPACE}-{host}"
        ip("netns", "add", namespace)
        ip(*switch, "link", "add", f"p{number}", "type", "veth", "peer", "name", "eth0", "netns", namespace)
        ip("-n", namespace, "link", "set", "eth0", "address", f"02:00:5e:14:00:{number:02x}")
        ip("-n", namespace, "addr", "add", f"{address(host)}/24", "dev", "eth0")
        ip(*switch, "link", "set", f"p{number}", "master", "br0", "up")


def start_network() -> None:
    """Links up, after tcpdump has begun."""
    for host in HOSTS:
        namespace = f"{NAMESPACE}-{host}"
        ip("-n", namespace, "link", "set", "lo", "up")
        subprocess.run(inside(host, sys.executable, __file__, "no-offload"), check=True)
        ip("-n", namespace, "link", "set", "eth0", "up")
        ip("-n", namespace, "route", "add", "224.0.0.0/4", "dev", "eth0")
    querier = ("mcast_querier", "1", "mcast_query_use_ifaddr", "1", "mcast_igmp_version", "3")
    times = ("mcast_query_interval", "800", "mcast_startup_query_interval", "300")
    ip("-n", f"{NAMESPACE}-switch", "link", "set", "br0", "type", "bridge", *querier, *times)


def ffmpeg(host: str, url: str, seconds: int, *, rate: int, size: str) -> list[str]:
    """A camera: a moving test picture as H.264 over RTP."""
    source = f"testsrc=size={size}:rate={rate}"
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", str(4 * rate), "-b:v", "90k"]
    limits = ["-maxrate", "110k", "-bufsize", "110k", "-pix_fmt", "yuv420p"]
    head = ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", source, "-t", str(seconds)]
    return inside(host, *head, *codec, *limits, "-threads", "1", "-f", "rtp", url)


def nginx_configuration(folder: Path) -> Path:
    """nginx on port 80 with one page behind a realm; any user may pass with the fake password."""
    (folder / "page").mkdir()
    (folder / "page" / "index.html").write_text("<html><body>" + "<object></object>" * 60 + "</body></html>\n")
    (folder / "users").write_text("REDACT-ME:{PLAIN}REDACT-ME\n")
    text = f"""
user root; worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
 uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
 server {{ listen 80; root {folder}/page; auth_basic "Servidor HTTP Digifort";
  auth_basic_user_file {folder}/users; }} }}
"""
    path = folder / "nginx.conf"
    path.write_text(text)
    return path


def record(output: Path) -> None:
    """Build the network, run everybody, write the capture."""
    running: list[subprocess.Popen[bytes]] = []
    made = ["switch", *HOSTS]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            build_network()
            ip("-n", f"{NAMESPACE}-switch", "link", "set", "br0", "up")
            dump = ["tcpdump", "-i", "br0", "-s", str(SNAPLEN), "-w", str(output), "-U", "-Z", "root"]
            tcpdump = subprocess.Popen(inside("switch", *dump))
            running.append(tcpdump)
            time.sleep(1)
            start_network()
            web = ["nginx", "-p", str(folder), "-c", str(nginx_configuration(folder))]
            running.append(subprocess.Popen(inside("server", *web)))
            for host in HOSTS:
                running.append(subprocess.Popen(inside(host, sys.executable, __file__, "act", host)))
            time.sleep(1.5)
            target = f"{address('server')}"
            streams = (
                ("camera1", f"rtp://{target}:3000?localport=6970&pkt_size=1100", 14, 5, "320x240"),
                ("camera2", f"rtp://{target}:3002?localport=40200&pkt_size=1100", 12, 4, "320x240"),
                ("server", f"rtp://{GROUP}:1025?ttl=4&localport=52000&pkt_size=1100", 13, 4, "320x240"),
                ("server", f"rtp://{GROUP}:1027?ttl=4&localport=52004&pkt_size=1100", 6, 4, "160x120"),
            )
            for host, url, seconds, rate, size in streams:
                running.append(
                    subprocess.Popen(ffmpeg(host, url, seconds, rate=rate, size=size), stdout=subprocess.DEVNULL)
                )
                time.sleep(0.3)
            time.sleep(SECONDS)
            tcpdump.terminate()
            tcpdump.wait()
        finally:
            for process in reversed(running):
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
            for process in running:
                process.wait()
            for host in made:
                subprocess.run(["ip", "netns", "del", f"{NAMESPACE}-{host}"], check=False, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    if sys.argv[1:2] == ["act"]:
        ACTORS[sys.argv[2]]()
    elif sys.argv[1:2] == ["no-offload"]:
        without_offload("eth0")
    else:
        record(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "recorded_site.pcap")
