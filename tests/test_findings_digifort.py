"""Figures behind Digifort's findings, against slow twins; many faults at once give few findings."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import classifier
from classifier.findings.rules.dgf_media_range import most_at_once

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from captures.makers import payloads  # noqa: E402
from captures.makers.faults.digifort_media import at_work  # noqa: E402
from captures.makers.faults.digifort_site import searches  # noqa: E402
from captures.makers.faults.scene import lan  # noqa: E402
from captures.makers.files import capture_bytes  # noqa: E402
from captures.makers.site import MS, Record, Site  # noqa: E402
from captures.makers.streams import Way  # noqa: E402

FLOW = st.tuples(st.integers(3000, 3006), st.integers(0, 40), st.integers(0, 12))


def written(site: Site, folder: Path) -> Path:
    path = folder / "site.pcap"
    path.write_bytes(capture_bytes(site))
    return path


def lossy(site: Site, pairs: int, servers: int) -> None:
    """Streams of 105 packets that lose every tenth one, each at other times."""
    for number in range(pairs):
        way = Way(f"10.2.0.{number + 1}", 6970, f"10.3.0.{number % servers + 1}", 20_000 + 2 * number)
        for count in range(117):
            if (count + number) % 10 == 5:
                continue
            message = payloads.rtp(96, count, count * 3600, number + 1, b"\x41\x9a" + bytes(20), mark=True)
            at = count * 40 * MS + number * 13 * MS
            frame = way.frame(message, count, 0)
            site.records.append(Record(site.start_ns + at, len(site.records), 0, frame, "", None))


@given(st.lists(FLOW, min_size=1, max_size=30))
def test_ports_in_use_at_once_are_those_of_a_count_at_every_instant(flows: list[tuple[int, int, int]]) -> None:
    port = np.array([item[0] for item in flows], "u2")
    first = np.array([item[1] for item in flows], "i8")
    last = first + np.array([item[2] for item in flows], "i8")
    used = [len({p for p, a, b in zip(port, first, last, strict=True) if a <= at <= b}) for at in range(60)]
    assert most_at_once(port, first, last) == (max(used), used.index(max(used)))


def test_times_of_a_broken_clock_do_not_overflow_the_count_of_ports() -> None:
    port = np.array([3000, 5000, 3000], "u2")
    first = np.array([0, 4_000_000_000_000_000_000, 4_000_000_000_000_000_000], "i8")
    assert most_at_once(port, first, first + 10) == (2, 4_000_000_000_000_000_000)


def test_many_bad_pairs_are_twenty_findings_the_last_of_them_for_the_rest(tmp_path: Path) -> None:
    site = lan()
    lossy(site, 45, 45)
    rows = [row for row in classifier.classify(written(site, tmp_path)).rows("findings") if row["status"] == "fired"]
    mine = [row for row in rows if row["code"] == "NET-MEDIA-LOSS"]
    assert len(mine) == 20
    assert mine[-1]["title"] == "26 more like this"
    assert len({flow for row in mine for flow in row["flow_ids"]}) == 45


def test_many_bad_senders_of_one_receiver_are_one_finding(tmp_path: Path) -> None:
    site = lan()
    lossy(site, 45, 1)
    rows = [row for row in classifier.classify(written(site, tmp_path)).rows("findings") if row["status"] == "fired"]
    mine = [row for row in rows if row["code"] == "NET-MEDIA-LOSS"]
    assert [row["title"].partition(":")[0] for row in mine] == ["45 of 45 senders to 10.3.0.1 deliver badly"]
    assert len(mine[0]["flow_ids"]) == 45


def test_searches_are_kept_with_their_wait_and_where_they_came_from(tmp_path: Path) -> None:
    site = lan()
    at_work(3)(site)
    searches(wait=4)(site)
    said = classifier.classify(written(site, tmp_path)).facts.read.searched
    assert said
    assert {(item.address, item.port, item.wait) for item in said} == {("10.1.0.41", 8660, 4)}
