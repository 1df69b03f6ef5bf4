"""Text out of captures and file names stays text, in every form of output; credentials never come out."""

from __future__ import annotations

import csv as csv_module
import io
import json
import re
import struct
from pathlib import Path
from typing import Any

import pytest
from capture_files import T0, block, enhanced, interface, option, section

from classifier import cli, engine
from classifier.columns import TABLES
from classifier.render import csv, text
from classifier.render import json as as_json

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
NASTY = {
    "colour": "\x1b[31mRED\x1b[0m",
    "title": "\x1b]0:owned\x07",
    "c1": "\x9b2J",
    "lines": "one\nroot: logged in\r\nthree",
    "formula": '=HYPERLINK("http://evil.example/","x")',
    "plus": "+1+cmd|' /C calc'!A0",
    "at": "@SUM(1)",
    "tab": "\t=1+1",
    "html": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "nul": "a\x00b",
    "delete": "a\x7f\x08b",
}
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def ssrp_frame(server: str, instance: str) -> bytes:
    """A SQL Browser's reply with these names, in UDP, IPv4, Ethernet."""
    said = f"ServerName;{server};InstanceName;{instance};IsClustered;No;Version;15.0.2000.5;tcp;51433;;".encode(
        "latin-1"
    )
    data = b"\x05" + struct.pack("<H", len(said)) + said
    udp = struct.pack(">HHHH", 1434, 50_000, 8 + len(data), 0) + data
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, 0x0A000005, 0x0A000009)
    return bytes.fromhex("0200000000010200000000020800") + ip + udp


def capture_of(nasty: str) -> bytes:
    """A pcapng whose every text is `nasty`."""
    raw = nasty.encode("utf-8")
    options = option(1, raw) + option(2, raw) + option(3, raw) + option(12, raw)
    name = raw.replace(b"\0", b"?") + b"\0"
    names = struct.pack("<HH", 1, 4 + len(name)) + bytes([10, 0, 0, 5]) + name + b"\0" * (-len(name) % 4) + bytes(4)
    frame = enhanced(ssrp_frame(nasty, nasty), T0 * 1_000_000, options=option(1, raw))

    return section(options=options) + interface(options=options) + block(4, names) + frame


def outputs(report: Any) -> dict[str, str]:
    """Everything a report can be shown as."""
    every = tuple(TABLES)
    shown = {"table": text.render(report, ()), "tables": text.render(report, every)}
    shown["json"] = as_json.render(report, ("flows", "timeline", "quality")).decode()
    shown |= {f"csv {section_}": csv.render(report, section_).decode() for section_ in every}
    shown["html"] = report._repr_html_()
    shown["repr"] = repr(report)
    shown |= {f"explain {i}": report.explain(i) for i in range(min(report.totals["flows"], 400))}
    return shown


@pytest.mark.parametrize("kind", NASTY)
def test_text_of_a_capture_is_escaped_everywhere(kind: str, tmp_path: Path) -> None:
    nasty = NASTY[kind]
    name = nasty.replace("/", "_").replace("\0", "_")
    path = tmp_path / f"{name}.pcapng"
    path.write_bytes(capture_of(nasty))
    report = engine.classify(path)
    assert report.totals["packets"] == 1
    (learned,) = report.rows("learned")
    assert learned["instance"]  # the text did get as far as the report
    (host,) = [row for row in report.rows("hosts") if row["address"] == "10.0.0.5"]
    assert host["name"]
    (capture,) = report.to_dict()["captures"]
    assert [(c["about"], c["number"]) for c in capture["comments"]] == [("section", 1), ("interface", 0), ("packet", 1)]
    assert capture["interfaces"][0]["name"] and capture["os"] and capture["hardware"]
    for form, shown in outputs(report).items():
        assert not CONTROL.search(shown), (form, CONTROL.search(shown))
        if form == "html":
            assert "<script" not in shown and "<img" not in shown
        if form.startswith("csv"):
            for row in csv_module.reader(io.StringIO(shown)):
                for cell in row:
                    assert not cell.startswith(FORMULA), (form, cell)
    if "\n" in nasty:
        for form in ("table", "tables"):
            shown = outputs(report)[form]
            assert not any(line.startswith(("root:", "three")) for line in shown.splitlines())
    document = json.loads(as_json.render(report))  # in JSON the text itself is kept, as escapes
    assert document["captures"][0]["path"] == str(path)
    assert as_json.render(report).isascii()


@pytest.mark.parametrize("kind", NASTY)
def test_messages_on_standard_error_are_escaped(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name = NASTY[kind].replace("/", "_").replace("\0", "_")
    damaged, missing, other = (tmp_path / f"{prefix}{name}" for prefix in ("d", "m", "o"))
    damaged.write_bytes(capture_of("x")[:-10])
    other.write_bytes(b"no capture, just a text\n")
    assert cli.main(["--format", "json", str(damaged)]) == cli.EXIT_DAMAGED
    for path in (missing, other):
        assert cli.main([str(path)]) == cli.EXIT_UNREADABLE
    said = capfd.readouterr().err
    assert not CONTROL.search(said)
    lines = said.splitlines()
    assert len(lines) >= 3
    assert all(line.startswith("classify: ") for line in lines), lines


def test_what_a_capture_says_about_itself_is_shown() -> None:
    report = engine.classify(io.BytesIO(capture_of("DVR-01")))
    shown = text.render(report, ("quality",))
    for line in (
        "-: pcapng, 1 interface, DVR-01, DVR-01",
        "  interface 0: DVR-01, DVR-01",
        "  comment on section 1: DVR-01",
        "  comment on interface 0: DVR-01",
        "  comment on packet 1: DVR-01",
    ):
        assert any(found.startswith(line) for found in shown.splitlines()), (line, shown)
    overview = text.render(report, ())
    assert "3 comments in the file: DVR-01" in overview
    assert "10.0.0.5 DVR-01" in overview
    assert "DVR-01" in text.render(report, ("hosts",))
    (row,) = [row for row in csv_module.DictReader(io.StringIO(csv.render(report, "hosts").decode())) if row["name"]]
    assert (row["address"], row["name"]) == ("10.0.0.5", "DVR-01")
    assert report.hosts.set_index("address").loc["10.0.0.5", "name"] == "DVR-01"
    measures = {row["measure"]: row["value"] for row in report.rows("quality")}
    assert (measures["comments"], measures["names"]) == (3, 1)


def test_a_capture_with_many_interfaces_and_comments_stays_readable() -> None:
    many = interface(options=option(2, b"port")) * 3000 + enhanced(b"x" * 60, options=option(1, b"y" * 9000)) * 300
    report = engine.classify(io.BytesIO(section() + many))
    (capture,) = report.to_dict()["captures"]
    assert (capture["interface_count"], len(capture["interfaces"]), len(capture["comments"])) == (3000, 100, 100)
    assert {len(comment["text"]) for comment in capture["comments"]} == {1000}
    lines = text.render(report, ("quality",)).splitlines()
    assert "  and 2,980 more interfaces" in lines
    assert len(lines) < 200


SECRETS = ("REDACT-ME", "UkVEQUNULU1FOlJFREFDVC1NRQ", "AuthPass", "Basic ")


@pytest.mark.parametrize("name", ["digifort_site.pcapng", "digital_sentry_site.pcap", "neighbours.pcapng"])
def test_credentials_of_the_samples_never_come_out(name: str) -> None:
    for form, shown in outputs(engine.classify(CAPTURES / name)).items():
        for secret in SECRETS:
            assert secret not in shown, form


def test_the_samples_do_hold_credentials() -> None:
    everything = b"".join(path.read_bytes() for path in CAPTURES.glob("*.pcap*"))
    for secret in SECRETS:
        assert secret.encode() in everything, secret
