"""Scenes of Digifort's cameras and clients: key frames, restarts, refusals, video that stands still."""

from __future__ import annotations

from classifier.findings.settings import Settings
from classifier.limits import Limits

from .digifort_media import at_work, camera, made
from .digifort_site import ends, refuses_rtsp, restarting, second_server, watches
from .scene import Scene

CAMERAS = [
    Scene(
        "DGF-CAM-KEYFRAMES",
        "a key frame every 15 seconds",
        made(at_work(), camera(1, end=50, keys=150), camera(2, end=50)),
        says=("Camera 10.1.0.31 sends key frames too rarely: one in 15 s", "4 key frames among 495 pictures"),
        never=("10.1.0.32",),
        severity="warning",
    ),
    Scene("DGF-CAM-KEYFRAMES", "a key frame every two seconds", made(at_work(), camera(1, end=30)), fires=0),
    Scene(
        "DGF-CAM-SHARED",
        "two servers read one camera",
        made(
            at_work(),
            second_server(),
            camera(1, asked=True, end=20),
            camera(1, asked=True, end=20, to="10.1.0.6", source=6980),
        ),
        says=("Camera 10.1.0.31 is read by 2 Digifort servers at once", "10.1.0.5 and 10.1.0.6", "2 streams"),
        severity="info",
    ),
    Scene(
        "DGF-CAM-SHARED",
        "two streams to one server, and one camera after the other",
        made(
            at_work(),
            second_server(),
            camera(1, end=8),
            camera(1, end=8, source=6980, port=3100),
            camera(2, end=8),
            camera(2, start=10, end=18, to="10.1.0.6", source=6980),
        ),
        fires=0,
    ),
    Scene(
        "DGF-CAM-STOPPED",
        "a camera vanishes",
        made(at_work(50), ends(1, end=20, retries=True), camera(2, end=50)),
        says=("Camera 10.1.0.31 stopped sending to 10.1.0.5 at 07:33:", "in vain"),
        never=("10.1.0.32",),
        severity="warning",
    ),
    Scene(
        "DGF-CAM-STOPPED",
        "three cameras at the same moment",
        made(at_work(50), *(ends(number, end=20) for number in (1, 2, 3)), camera(4, end=50)),
        says=("3 cameras stopped sending to 10.1.0.5 at once", "No TEARDOWN", "what they share"),
    ),
    Scene(
        "DGF-CAM-STOPPED",
        "the server ended it with TEARDOWN; another goes on",
        made(at_work(50), ends(1, end=20, teardown=True), camera(2, end=50)),
        fires=0,
    ),
    Scene("DGF-CAM-STOPPED", "all traffic ends there", made(at_work(20), ends(1, end=20)), fires=0),
    Scene(
        "DGF-CAM-RESTARTS",
        "four times anew",
        made(at_work(), restarting(4)),
        says=("Camera 10.1.0.31 began anew 4 times", "4 times a new stream"),
        severity="warning",
    ),
    Scene("DGF-CAM-RESTARTS", "once anew", made(at_work(), restarting(1)), fires=0),
    Scene(
        "DGF-CAM-RESTARTS",
        "not followed",
        made(at_work(), restarting(4)),
        fires=0,
        skipped="--fast",
        options={"limits": Limits(follow=False)},
    ),
]

UNAUTHORIZED, OK = "401 Unauthorized", "200 OK"
REFUSED = [
    Scene(
        "DGF-CAM-REFUSED",
        "a wrong password",
        made(at_work(), refuses_rtsp(1, (UNAUTHORIZED, UNAUTHORIZED), times=3)),
        says=(
            "Camera 10.1.0.31 refuses 10.1.0.5: RTSP 401 (user or password is wrong)",
            "3 RTSP connections of 3",
            "3 times 401",
        ),
        severity="error",
    ),
    Scene(
        "DGF-CAM-REFUSED",
        "too many readers",
        made(at_work(), refuses_rtsp(1, (UNAUTHORIZED, OK, "453 Not Enough Bandwidth"))),
        says=("RTSP 453 (not enough bandwidth)", "close other readers"),
    ),
    Scene(
        "DGF-CAM-REFUSED",
        "a question for the password, and a keep-alive that the camera does not know",
        made(
            at_work(),
            refuses_rtsp(1, (UNAUTHORIZED, OK, OK, OK)),
            refuses_rtsp(2, (UNAUTHORIZED, OK, OK, OK, "501 Not Implemented")),
            refuses_rtsp(3, (UNAUTHORIZED,)),
        ),
        fires=0,
    ),
]

CLIENTS = [
    Scene(
        "DGF-CLIENT-STALL",
        "the client's window is closed for four seconds",
        made(at_work(3), watches(closed=4)),
        says=("Video from 10.1.0.5 to client 10.1.0.40 stands still, for 4.", "The client held it up"),
        severity="warning",
    ),
    Scene(
        "DGF-CLIENT-STALL",
        "four seconds without data, and lost segments",
        made(at_work(14), watches(quiet=4, again=12)),
        says=("The path held it up",),
        severity="warning",
    ),
    Scene(
        "DGF-CLIENT-STALL",
        "the server pauses",
        made(at_work(14), watches(quiet=4)),
        says=("Neither the client nor the path held it up",),
        severity="info",
    ),
    Scene("DGF-CLIENT-STALL", "video without a pause", made(watches()), fires=0),
    Scene("DGF-CLIENT-STALL", "nothing captured at all for four seconds", made(watches(quiet=4)), fires=0),
    Scene("DGF-CLIENT-STALL", "talk now and then is no video", made(at_work(12)), fires=0),
    Scene(
        "DGF-CLIENT-STALL",
        "the limits set higher",
        made(watches(closed=4)),
        fires=0,
        options={"settings": Settings({("DGF-CLIENT-STALL", "window_s"): 9, ("DGF-CLIENT-STALL", "stall_s"): 9})},
    ),
]

SCENES: list[Scene] = [*CAMERAS, *REFUSED, *CLIENTS]
