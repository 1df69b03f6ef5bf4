"""Where a capture was taken: what single signs mean, on captures made for each."""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.l2 import Ether

import classifier
from classifier.findings.case import Case
from classifier.findings.vantage import PLACES, Vantage
from classifier.limits import Limits

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from captures.makers.faults import cap  # noqa: E402
from captures.makers.faults.scene import ANY, lan  # noqa: E402
from captures.makers.files import capture_bytes  # noqa: E402
from captures.makers.site import MS, Host, Site  # noqa: E402
from captures.makers.tcp import Conversation  # noqa: E402


def of(data: bytes, **options: Any) -> Vantage:
    return Case(classifier.classify(io.BytesIO(data), **options)).vantage


def between(site: Site, one: Host, other: Host, port: int = 9000, *, at: int = 0) -> None:
    """A conversation, long enough to count."""
    talk = Conversation(site, one, 50_000 + port, other, port, ANY)
    now = talk.open(at)
    for _ in range(3):
        now = talk.ask(now + MS, site.rng.randbytes(50), site.rng.randbytes(3000))


def without_padding(site: Site, host: Host) -> None:
    """The host's frames as they are before its network card pads them."""
    mac = bytes.fromhex(host.mac.replace(":", ""))
    for number, record in enumerate(site.records):
        if record.frame[6:12] == mac and len(record.frame) == 60:
            site.records[number] = dataclasses.replace(record, frame=record.frame[:54])


def test_a_server_with_many_clients_is_where_it_was_taken() -> None:
    site = lan()
    cap.talks(site)
    view = of(capture_bytes(site))
    assert (view.place, view.hosts) == ("port", ("10.1.0.5",))
    assert view.sees_host("10.1.0.5") and not view.sees_host("10.1.0.40")
    assert view.both_ways("10.1.0.40") and view.both_directions
    assert view.sentence.startswith("Taken on 10.1.0.5 or on a mirror of its port; both directions; ")
    assert "nothing of what other hosts say to each other" in view.sentence
    assert view.sentence.endswith("drops unknown.")


def test_two_hosts_may_both_be_it() -> None:
    site = lan()
    between(site, site.host("a", "10.1.0.1"), site.host("b", "10.1.0.2"))
    view = of(capture_bytes(site))
    assert (view.place, view.hosts) == ("pair", ("10.1.0.1", "10.1.0.2"))
    assert not view.sees_host("10.1.0.1")


def test_of_two_hosts_the_one_behind_a_router_is_not_it() -> None:
    site = lan()
    between(site, site.host("a", "10.1.0.1"), site.host("b", "10.2.0.2", ttl=61))
    view = of(capture_bytes(site))
    assert (view.place, view.hosts) == ("port", ("10.1.0.1",))
    assert view.is_local("10.1.0.1") is True and view.is_local("10.2.0.2") is False
    assert view.is_local("10.9.9.9") is None


def test_frames_without_padding_are_the_capturing_hosts_own() -> None:
    site = lan()
    one, other = site.host("a", "10.1.0.1"), site.host("b", "10.1.0.2")
    between(site, one, other)
    without_padding(site, one)
    view = of(capture_bytes(site))
    assert (view.place, view.hosts) == ("host", ("10.1.0.1",))
    assert view.sees_host("10.1.0.1") and not view.sees_host("10.1.0.2")
    assert "without the padding" in view.reasons[0]
    assert of(capture_bytes(site), limits=Limits(follow=False)).place == "pair"  # --fast does not look


def test_frames_without_padding_of_everybody_tell_nothing() -> None:
    site = lan()
    one, other = site.host("a", "10.1.0.1"), site.host("b", "10.1.0.2")
    between(site, one, other)
    without_padding(site, one)
    without_padding(site, other)
    assert of(capture_bytes(site)).place == "pair"


def test_large_segments_of_one_host_with_others_are_captured_on_it() -> None:
    site = lan()
    cap.talks(site, 3, mss=20_000, size=60_000)
    view = of(capture_bytes(site))
    assert (view.place, view.hosts) == ("host", ("10.1.0.5",))
    assert "with offload" in view.reasons[0]


def test_hosts_that_talk_in_pairs_are_on_a_mirror_of_several_ports() -> None:
    site = lan()
    hosts = [site.host(f"h{k}", f"10.1.0.{k + 1}") for k in range(6)]
    for k in range(3):
        between(site, hosts[2 * k], hosts[2 * k + 1], 9000 + k)
    between(site, hosts[0], hosts[3], 9100)
    view = of(capture_bytes(site))
    assert (view.place, view.hosts) == ("many", ())
    assert view.sees_host("10.1.0.1") and not view.sees_host("10.1.0.2")
    assert view.others_unicast == view.packets


def test_many_addresses_behind_one_mac_are_a_router() -> None:
    site = lan()
    locals_ = [site.host(f"l{k}", f"10.1.0.{k + 1}") for k in range(3)]
    remotes = [site.host(f"r{k}", f"10.2.0.{k + 1}", ttl=62) for k in range(3)]
    for k in range(3):
        between(site, locals_[k], remotes[k], 9000 + k)
    router = "02:00:5e:99:00:01"
    for number, record in enumerate(site.records):
        frame = Ether(record.frame)
        if frame.src in [host.mac for host in remotes]:
            frame.src = router
        else:
            frame.dst = router
        site.records[number] = dataclasses.replace(record, frame=bytes(frame))
    view = of(capture_bytes(site))
    assert view.place == "router"
    assert view.reasons == (f"3 addresses send from {router}, an end of nearly everything",)


def test_broadcast_and_multicast_alone_are_a_bystanders() -> None:
    view = of(cap.groups_only(10))
    assert view.place == "bystander"
    assert view.hears("10.1.0.10") and not view.both_ways("10.1.0.10") and not view.hears("10.9.9.9")
    assert "nothing of connections between hosts" in view.sentence


def test_reports_of_others_are_told_from_the_capturing_hosts_own() -> None:
    site = lan()
    server, _ = cap.talks(site)
    site.igmp_join(0, server, ["239.1.1.1"])
    view = of(capture_bytes(site))
    assert view.reporters == {"10.1.0.5"} and not view.sees_other_reports
    site.igmp_join(0, site.hosts["10.1.0.40"], ["239.1.1.1"])
    assert of(capture_bytes(site)).sees_other_reports


@pytest.mark.parametrize(("connections", "share"), [(6, 1.0), (3, 0.5), (0, 0.0)])
def test_connections_of_one_direction_are_counted(connections: int, share: float) -> None:
    view = of(cap.one_direction(connections))
    assert (view.judged, view.one_sided_share, view.both_directions) == (6, share, not share)
    assert ("one direction only" in view.sentence) == bool(share)


def test_what_shows_that_packets_were_lost() -> None:
    assert of(cap.noted()).dropped == 0
    assert "no drops reported" in of(cap.noted()).sentence
    assert of(cap.noted(500)).loss == ("the capturing program dropped 500 packets",)
    lossy = of(cap.data_not_captured(missing=3))
    assert lossy.lossy and lossy.unseen_bytes == 3 * 1460
    assert of(cap.cameras(together=True)).moments == 1
    assert not of(cap.plain()).lossy


def test_cut_packets() -> None:
    view = of(cap.short_packets(96))
    assert view.snaplen == 96 and view.cut_share > 0.1
    assert "packets cut at 96 bytes" in view.sentence


def test_too_few_packets_tell_nothing() -> None:
    site = lan()
    site.udp(0, site.host("a", "10.1.0.1"), 5000, site.host("b", "10.1.0.2"), 5000, b"x", ANY)
    view = of(capture_bytes(site))
    assert view.place == "unknown" and view.one_sided_share is None and view.both_directions is None


def test_an_empty_capture_says_so() -> None:
    view = of(capture_bytes(lan()))
    assert view.sentence == "Vantage point unknown: the capture holds no packets."


@pytest.mark.parametrize("make", [cap.plain, lambda: cap.groups_only(10), lambda: capture_bytes(lan())])
def test_the_document_is_plain_values(make: Any) -> None:
    import json

    document = of(make()).document()
    assert json.loads(json.dumps(document)) == document
    assert document["place"] in PLACES and document["sentence"]
