"""The report's DataFrames: types, empty tables, rates over time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from passes import CLIENT, OTHER, SERVER, Flow, a_report, site

from classifier import frames
from classifier.columns import TABLES

EMPTY = a_report([])
SITE = site()


@pytest.mark.parametrize("section", TABLES)
def test_types_and_names_are_those_of_the_column_tables(section: str) -> None:
    full, empty = getattr(SITE, section), getattr(EMPTY, section)
    assert list(full.columns) == list(empty.columns) == [column.name for column in TABLES[section]]
    for column in TABLES[section]:
        for frame in (full, empty):
            dtype = frame[column.name].dtype
            if column.kind == "time":
                assert str(dtype) == "datetime64[ns, UTC]"
            elif column.kind == "category":
                assert isinstance(dtype, pd.CategoricalDtype)
            elif column.kind == "int":
                assert dtype == ("Int64" if column.nullable else "int64")
            elif column.kind == "float":
                assert dtype == "float64"
    assert len(full) == len(SITE.rows(section))


def test_frames_hold_what_rows_hold() -> None:
    for section in TABLES:
        frame = SITE.frame(section)
        for column in TABLES[section]:
            values = frame[column.name].astype(object).tolist()
            if column.kind == "time":
                values = [v if pd.isna(v) else v.value for v in values]
            expected = [row[column.name] for row in SITE.rows(section)]
            assert [None if v is pd.NA or v != v else v for v in values] == expected, (section, column.name)


def test_a_changed_frame_changes_nothing_else() -> None:
    report = site()
    frame = report.components
    frame.loc[0, "packets"] = -1
    assert report.components["packets"][0] != -1


def test_flow_ids_are_row_numbers() -> None:
    assert SITE.flows["flow_id"].tolist() == SITE.flows.index.tolist()


def test_the_series_of_components_add_up_to_the_capture() -> None:
    series = SITE.timeseries("1s")
    assert list(series.columns) == [row["id"] for row in SITE.rows("components")]
    assert str(series.index.dtype) == "datetime64[ns, UTC]"
    assert series.index[0] == pd.Timestamp("2024-05-03 08:13:20", tz="UTC")
    assert len(series) == 5
    assert series.to_numpy().sum() / 8 == SITE.totals["wire_bytes"]
    assert SITE.timeseries("1s", value="packets").to_numpy().sum() == SITE.totals["packets"]
    assert series.attrs == {"unit": "bit/s"}


def test_peak_and_p95_are_those_of_the_series() -> None:
    series = SITE.timeseries("1s")
    for row in SITE.rows("components"):
        assert row["peak_bps"] == series[row["id"]].max()
        assert row["p95_bps"] == pytest.approx(series[row["id"]].quantile(0.95), abs=0.001)


def test_a_wider_step_keeps_the_bytes_and_is_anchored_to_the_epoch() -> None:
    series = SITE.timeseries("1min", value="wire_bytes")
    assert series.index.tolist() == [pd.Timestamp("2024-05-03 08:13:00", tz="UTC")]
    assert series.to_numpy().sum() == SITE.totals["wire_bytes"]
    assert SITE.timeseries("60s").equals(SITE.timeseries("1min"))


def test_series_of_flows_and_hosts() -> None:
    flows = SITE.timeseries("1s", by="flow", value="wire_bytes")
    assert flows.columns.tolist() == [1, 2, 0, 4, 3]  # by bytes
    assert flows[0].tolist() == [1074, 0, 0, 0, 60]
    hosts = SITE.timeseries("1s", by="host", value="wire_bytes")
    assert hosts[SERVER].sum() == 10_734
    assert set(hosts.columns) == {row["address"] for row in SITE.rows("hosts")}
    assert SITE.timeseries("1s", by="host", top=1).columns.tolist() == [SERVER]


def test_the_series_of_tenths_add_up_to_those_of_seconds() -> None:
    for by in ("component", "flow", "host"):
        tenths = SITE.timeseries("100ms", by=by, value="wire_bytes")
        seconds = SITE.timeseries("1s", by=by, value="wire_bytes")
        assert tenths.resample("1s").sum().equals(seconds)
        assert tenths.to_numpy().astype(bool).sum() > seconds.to_numpy().astype(bool).sum()
    peaks = SITE.components.set_index("id")["peak_100ms_bps"]
    assert SITE.timeseries("100ms").max().to_dict() == peaks.to_dict()


def test_the_series_of_an_empty_capture_is_empty() -> None:
    for by in ("component", "flow", "host"):
        assert EMPTY.timeseries(by=by).shape == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"freq": "1550ms"}, "time bins"),
        ({"freq": "10ms"}, "time bins"),
        ({"freq": "soon"}, "fixed span"),
        ({"freq": "1ME"}, "fixed span"),
        ({"freq": "-1s"}, "time bins"),
        ({"by": "port"}, "by must be"),
        ({"value": "bytes"}, "value must be"),
    ],
)
def test_what_makes_no_series(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SITE.timeseries(**arguments)


def test_a_series_that_would_fill_the_memory_is_refused() -> None:
    century = a_report([Flow(CLIENT, SERVER, "other.http", [(0, 100, True), (4e9, 100, True)])])
    with pytest.raises(ValueError, match="ask for a longer freq"):
        century.timeseries("1s")
    assert len(century.timeseries("30D")) > 1000


def test_many_components_over_many_bins_are_sorted_instead_of_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    from classifier.tables import rates

    expected = site().timeline
    monkeypatch.setattr(rates, "_DENSE", 0)
    assert site().timeline.equals(expected)


def test_a_learned_endpoint_is_the_products_only_with_support() -> None:
    said = SimpleNamespace(
        component="digital_sentry.sql", address=OTHER, port=50492, transport="tcp", by="ssrp", instance="I",
        version="9", first_ns=0, capture=0, record=1,
    )  # fmt: skip

    def component(owner: str, port: int) -> str:
        report = a_report([Flow(CLIENT, OTHER, owner, [(0, 60, True)], resp_port=port)], learned=[said])
        return str(report.learned["component"][0])

    assert component("digital_sentry.sql", 50492) == "digital_sentry.sql"
    assert component("other.mssql", 50492) == "other.mssql"
    assert component("digital_sentry.video", 18772) == "digital_sentry.sql"  # nobody asked yet, but the host is one
    assert component("other.http", 80) == "other.mssql"


def test_importing_frames_is_what_loads_pandas() -> None:
    assert frames.pd is pd
