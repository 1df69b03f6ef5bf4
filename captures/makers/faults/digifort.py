"""Scenes of the rules about Digifort that are not about multicast."""

from __future__ import annotations

from classifier.limits import Limits
from classifier.matching.site import Site as Known

from .digifort_cameras import SCENES as CAMERAS
from .digifort_media import SCENES as MEDIA
from .digifort_media import SERVER, at_work, camera, made
from .digifort_site import (
    ADMIN,
    ANALYTICS,
    API,
    LOGIN,
    LPR,
    SAFE,
    analytics,
    announces,
    answers,
    asks,
    greeted,
    many_ports,
    phone,
    refuses,
    searches,
    setting,
    web_page,
)
from .scene import Scene

PORTS = [
    Scene(
        "DGF-CHG-MOVED",
        "a server on 9600",
        made(greeted(9600)),
        says=("Digifort Server on 10.1.0.5 answers on port 9600, not on 8600", "--map digifort.server=9600/tcp"),
        severity="info",
    ),
    Scene(
        "DGF-CHG-MOVED",
        "Analytics on 9610, and two clients of a server on 9600",
        made(
            greeted(9600), greeted(9600, client=ADMIN, at=2), analytics(SERVER, port=9610, version="DIGIFORT 7.0.0.0")
        ),
        fires=2,
        says=(
            "2 connections to 9600/tcp, opened by 2 hosts: 10.1.0.40 and 10.1.0.41",
            "10.1.0.11 answers on port 9610",
        ),
    ),
    Scene("DGF-CHG-MOVED", "a server on 8600", made(at_work(3)), fires=0),
    Scene(
        "DGF-CHG-MOVED",
        "a server on 9600, as the user says",
        made(greeted(9600)),
        fires=0,
        options={"site": Known(maps=(("digifort.server", "9600/tcp"),))},
    ),
    Scene(
        "DGF-FIXED-MOVED",
        "the API on 8080",
        made(at_work(3), asks(f"{API}", port=8080, times=2)),
        says=("The Digifort API of 10.1.0.5 is asked on port 8080, not on 8601", "2 connections", "is of 2011"),
        severity="warning",
    ),
    Scene(
        "DGF-FIXED-MOVED",
        "the API on 8080, streams not followed",
        made(at_work(3), asks(API, port=8080)),
        says=("The Digifort API of 10.1.0.5 is asked on port 8080",),
        skipped="the ports of cameras' media are not known",
        options={"limits": Limits(follow=False)},
    ),
    Scene(
        "DGF-FIXED-MOVED",
        "cameras send to ports beyond the range",
        made(at_work(), camera(1, asked=True, port=50_010), camera(2, asked=True, port=50_012)),
        says=(
            "Cameras send media to 10.1.0.5 outside the ports 3000-5000",
            "2 cameras: 10.1.0.31 and 10.1.0.32",
            "2 ports: 50010 and 50012",
        ),
    ),
    Scene(
        "DGF-FIXED-MOVED",
        "UPnP answers come to another port",
        made(at_work(3), greeted(8600, client=ADMIN), searches(), answers(18_660)),
        says=("UPnP answers to 10.1.0.41 come to another port than 8660", "came to port 18660"),
    ),
    Scene(
        "DGF-FIXED-MOVED",
        "all on the documented ports, and a telephone on another",
        made(at_work(), asks(API), camera(1, asked=True), searches(), answers(), phone(20_000)),
        fires=0,
    ),
    Scene(
        "DGF-FIXED-MOVED",
        "Windows searches from a port of its own",
        made(at_work(3), greeted(8600, client=ADMIN), searches(), answers(), searches(port=51_777), answers(51_777)),
        fires=0,
    ),
    Scene(
        "DGF-MEDIA-RANGE",
        "1,700 ports at once",
        made(at_work(3), many_ports(1700, at_once=True)),
        says=("10.1.0.5 uses 84.3 % of its UDP ports", "1,686 of the 2,001 ports 3000-5000", "3000 to 4699"),
        severity="warning",
        packets=3400,
    ),
    Scene(
        "DGF-MEDIA-RANGE",
        "1,700 ports, one after the other",
        made(at_work(3), many_ports(1700, at_once=False)),
        fires=0,
    ),
    Scene(
        "DGF-WEB-HEAVY",
        "a large download, by a low limit",
        made(at_work(3), web_page(300_000)),
        says=("Web server 10.1.0.5:80 sends more than its pages: 312 kB", "1 client: 10.1.0.40"),
        severity="info",
        options=setting("DGF-WEB-HEAVY", "megabytes", 0.2),
    ),
    Scene(
        "DGF-WEB-HEAVY",
        "a stream of pictures on 80",
        made(at_work(3), web_page(9_000, pictures=True)),
        says=("1 of them carries a stream of JPEG pictures",),
    ),
    Scene("DGF-WEB-HEAVY", "a page with its control", made(at_work(3), web_page(11_000)), fires=0),
]

SECRETS = [
    Scene(
        "DGF-CRED-CLEAR",
        "passwords in URLs of the API",
        made(at_work(3), asks(f"{API}&AuthUser=doors&AuthPass=REDACT-ME", times=4)),
        says=("on 10.1.0.5:8601 cross the network in clear", "At least 4 connections", "in the URL", "10.1.0.40"),
        never=("REDACT-ME", "doors"),
        severity="warning",
    ),
    Scene(
        "DGF-CRED-CLEAR",
        "the server's passwords for cameras",
        made(
            at_work(3),
            asks("/cgi/1", port=80, client=SERVER, server="10.1.0.31", headers=(LOGIN,)),
            asks("/cgi/2", port=80, client=SERVER, server="10.1.0.32", headers=(LOGIN,)),
        ),
        says=(
            "Digifort server 10.1.0.5 sends camera passwords in clear",
            "2 devices: 10.1.0.31:80 and 10.1.0.32:80",
            "in an Authorization header",
        ),
        never=("UkVEQUN", "REDACT-ME"),
    ),
    Scene(
        "DGF-CRED-CLEAR",
        "sessions, digest, and somebody else's password",
        made(
            at_work(3),
            asks(SAFE),
            asks("/cgi", port=80, client=SERVER, server="10.1.0.31", headers=('Authorization: Digest username="a"',)),
            asks("/other", port=80, client="10.1.0.50", server="10.1.0.51", headers=(LOGIN,)),
        ),
        fires=0,
    ),
]

DISTRIBUTED = [
    Scene(
        "DGF-AN-IDLE",
        "only the administrator talks to Analytics",
        made(
            at_work(70),
            greeted(8600, client=ADMIN),
            analytics(ADMIN),
            asks("/status", port=80, client="10.1.0.50", server=ANALYTICS),
        ),
        says=("Analytics server 10.1.0.11 gets no data: no Digifort server connects to it", "Connected are: 10.1.0.41"),
        severity="info",
    ),
    Scene(
        "DGF-AN-IDLE",
        "the server sends data to Analytics and LPR",
        made(
            at_work(70),
            greeted(8600, client=ADMIN),
            analytics(ADMIN),
            analytics(SERVER),
            analytics(SERVER, server=LPR, port=8611),
        ),
        fires=0,
    ),
    Scene(
        "DGF-AN-IDLE",
        "ten seconds are too short",
        made(at_work(10), greeted(8600, client=ADMIN), analytics(ADMIN)),
        fires=0,
        skipped="too short to say that 10.1.0.11 gets no data",
    ),
    Scene(
        "DGF-AN-IDLE",
        "taken at the administrator's computer",
        made(*(greeted(8600, client=ADMIN, at=at) for at in (0, 70)), analytics(ADMIN)),
        fires=0,
        skipped="would not be seen",
    ),
    Scene(
        "DGF-AN-IDLE",
        "Analytics on the server's own machine",
        made(at_work(70), greeted(8600, client=ADMIN), analytics(ADMIN, server=SERVER)),
        fires=0,
        skipped="no Digifort server on another host",
    ),
    Scene(
        "DGF-VERSIONS",
        "two versions",
        made(
            at_work(3),
            analytics(SERVER, version="DIGIFORT 6.5.0.0"),
            analytics(SERVER, server="10.1.0.13", version="DIGIFORT 7.2.0.1", at=1),
        ),
        says=(
            "Digifort servers of 2 different versions",
            "10.1.0.11:8610: DIGIFORT 6.5.0.0",
            "10.1.0.13:8610: DIGIFORT 7.2",
        ),
        severity="warning",
    ),
    Scene(
        "DGF-VERSIONS",
        "one version",
        made(at_work(3), analytics(SERVER, version="DIGIFORT 6.5.0.0"), analytics(ADMIN, version="DIGIFORT 6.5.0.0")),
        says=("Digifort's greetings name version DIGIFORT 6.5.0.0",),
        severity="info",
    ),
    Scene("DGF-VERSIONS", "no greeting names one", made(at_work(3), analytics(SERVER)), fires=0),
]

ADMIN_AT_WORK = (at_work(20), greeted(8600, client=ADMIN), asks("/x", port=80, client=ADMIN, server="10.1.0.50"))
DISCOVERY = [
    Scene(
        "DGF-UPNP-NOREPLY",
        "no answers, though devices are there",
        made(*ADMIN_AT_WORK, searches(), announces()),
        says=(
            "Nobody answers the UPnP search of 10.1.0.41",
            "3 searches from 10.1.0.41:8660",
            "within 5 s (MX 3 s)",
            "UPnP devices are there: 10.1.0.31 sent SSDP",
        ),
        severity="warning",
        packets=3,
    ),
    Scene(
        "DGF-UPNP-NOREPLY",
        "no answers, no devices either",
        made(*ADMIN_AT_WORK, searches(wait=9)),
        says=("within 11 s (MX 9 s)", "so there may be none"),
        severity="info",
    ),
    Scene(
        "DGF-UPNP-NOREPLY",
        "the client's host refuses the answers",
        made(*ADMIN_AT_WORK, searches(), answers(), refuses()),
        says=("refused with ICMP", "2 ICMP errors", "the host itself refuses", "what 10.1.0.31 and 10.1.0.32 sent"),
        packets=2,
        severity="warning",
    ),
    Scene(
        "DGF-UPNP-NOREPLY",
        "a firewall refuses the answers",
        made(*ADMIN_AT_WORK, searches(), refuses(sender="10.1.0.1", code=13)),
        says=("10.1.0.1, on the way to it, refuses", "A device on the way forbids it"),
        packets=2,
    ),
    Scene("DGF-UPNP-NOREPLY", "devices answer", made(*ADMIN_AT_WORK, searches(), answers()), fires=0),
    Scene(
        "DGF-UPNP-NOREPLY",
        "Windows' own search gets no answer",
        made(*ADMIN_AT_WORK, searches(port=51_777), announces()),
        fires=0,
    ),
    Scene(
        "DGF-UPNP-NOREPLY",
        "the capture ends too soon",
        made(*ADMIN_AT_WORK, searches(at=17)),
        fires=0,
        skipped="before the end of the capture",
    ),
    Scene(
        "DGF-UPNP-NOREPLY",
        "taken at the server's port",
        made(at_work(20), greeted(8600, client=ADMIN), searches(), announces()),
        fires=0,
        skipped="taken where answers to 10.1.0.41 need not pass",
    ),
]

SCENES: list[Scene] = [*MEDIA, *PORTS, *SECRETS, *DISTRIBUTED, *DISCOVERY, *CAMERAS]
