"""Plots show the report's own figures, say their units and UTC, and tell what to install when matplotlib is missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import classifier
from classifier import plots
from classifier.report import Report

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
if str(CAPTURES) not in sys.path:
    sys.path.insert(0, str(CAPTURES))

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No figure is left open."""
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def site() -> Report:
    return classifier.classify(CAPTURES / "digifort_site.pcapng")


@pytest.fixture(scope="module")
def lossy() -> Report:
    return classifier.classify(CAPTURES / "recorded_streams.pcap")


def test_bandwidth_stacks_all_components(site: Report) -> None:
    ax = site.plot_bandwidth(top=3)
    layers = [text.get_text() for text in ax.get_legend().get_texts()]
    ranked = site.components.sort_values("wire_bytes", ascending=False)["id"].astype(str)
    assert layers == [f"{len(ranked) - 3} others", *ranked[:3][::-1]]
    highest = site.timeseries("1s").sum(axis=1).max() / 1e3
    assert ax.dataLim.y1 == pytest.approx(highest)
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("kbit/s", "2023-11-14 UTC")


def test_bandwidth_at_another_step_and_on_given_axes(site: Report) -> None:
    import matplotlib.pyplot as plt

    _, mine = plt.subplots()
    assert site.plot_bandwidth(freq="10s", ax=mine) is mine
    assert mine.get_title(loc="left") == "Bandwidth by component, mean of 10 s"
    with pytest.raises(ValueError, match="multiple of the capture's time bins"):
        site.plot_bandwidth(freq="15ms")


def test_a_stream_over_time_sums_to_its_row(lossy: Report) -> None:
    for number, row in enumerate(lossy.rows("streams")):
        series = lossy.stream_timeseries(number, "100ms")
        assert int(series["packets"].sum()) == row["packets"]
        assert int(series["wire_bytes"].sum()) == row["wire_bytes"]
        assert int(series["lost_alone"].sum()) == row["lost_alone"]
        assert int(series["lost_with_others"].sum()) == row["lost_with_others"]
        if row["max_jitter_ms"] is not None:
            assert series["jitter_ms"].max() == pytest.approx(row["max_jitter_ms"], abs=1e-3)
        else:
            assert series["jitter_ms"].isna().all()


def test_streams_side_by_side_over_time(lossy: Report) -> None:
    rows = lossy.rows("streams")
    table = lossy.timeseries("100ms", by="stream", value="wire_bytes")
    assert table.sum().to_dict() == {number: row["wire_bytes"] for number, row in enumerate(rows)}
    assert list(lossy.timeseries("1s", by="stream", top=1)) == [max(range(3), key=lambda n: rows[n]["wire_bytes"])]


def test_a_stream_shows_rate_loss_and_jitter(lossy: Report) -> None:
    row = lossy.rows("streams")[0]
    axes = lossy.plot_stream(0)
    assert [ax.get_ylabel() for ax in axes] == ["kbit/s", "packets lost", "jitter, ms"]
    assert sum(patch.get_height() for patch in axes[1].patches) == row["lost"] == 17
    assert (
        axes[0].figure.get_suptitle().startswith("H264 from 10.30.0.31:6970 to 10.30.0.5:3456: 17 of 203 packets lost")
    )


def test_a_transport_stream_says_why_two_plots_are_empty(lossy: Report) -> None:
    number = next(n for n, row in enumerate(lossy.rows("streams")) if row["kind"] == "mpegts")
    _, lost, jitter = lossy.plot_stream(number)
    assert [text.get_text() for text in lost.texts] == ["no sequence numbers; 4 breaks of the continuity counters"]
    assert [text.get_text() for text in jitter.texts] == ["not known: no time stamps, or their clock is not known"]


def test_every_stream_of_the_samples_can_be_plotted() -> None:
    for name in ("digifort_site.pcapng", "recorded_site.pcap"):
        report = classifier.classify(CAPTURES / name)
        for number in range(len(report.rows("streams"))):
            assert len(report.plot_stream(number)) == 3
            plots._pyplot().close("all")


def test_a_number_without_a_stream(lossy: Report) -> None:
    with pytest.raises(ValueError, match="no stream 3: streams are 0 to 2"):
        lossy.plot_stream(3)
    with pytest.raises(ValueError, match="no stream -1"):
        lossy.stream_timeseries(-1)


def test_a_capture_without_packets(tmp_path: Path) -> None:
    from makers.files import pcap_bytes
    from makers.streams import Capture

    path = tmp_path / "empty.pcap"
    path.write_bytes(pcap_bytes(Capture().site))
    report = classifier.classify(path)
    assert report.plot_bandwidth().get_ylabel() == "bit/s"
    with pytest.raises(ValueError, match="the capture has no streams"):
        report.plot_stream(0)


def test_without_matplotlib_it_says_what_to_install(site: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    missing: Any = None
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", missing)
    for plot in (site.plot_bandwidth, lambda: site.plot_stream(0)):
        with pytest.raises(ImportError, match=r"pip install 'vms-classifier\[notebooks\]'"):
            plot()
