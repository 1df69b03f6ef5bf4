"""Rules about connections stay few and quick however many hosts there are."""

from __future__ import annotations

from pathlib import Path

from test_benchmarks import generate

import classifier
from classifier.findings import Settings

CAPTURES = Path(__file__).resolve().parent.parent / "captures"


def test_thousands_of_slow_handshakes_are_few_findings(tmp_path: Path) -> None:
    """One finding for each of 100,000 pairs of hosts once took a minute."""
    path = tmp_path / "many.pcap"
    generate.generate("small", path, packets=30_000, flows=3000, size=80, seed=2)
    settings = Settings.of(["NET-SLOW-HANDSHAKE.ms=1"])
    rows = classifier.classify(path, settings=settings).rows("findings")
    slow = [row for row in rows if row["code"] == "NET-SLOW-HANDSHAKE"]
    assert len(slow) == 20
    assert "more pairs of hosts are up to" in slow[-1]["title"]
    assert "With " in slow[-1]["summary"]


def test_the_matrix_of_ports_says_what_works_between_whom() -> None:
    rows = classifier.classify(CAPTURES / "digital_sentry_site.pcap").rows("ports")
    state = {(row["component"], row["client_address"], row["server_address"]): row["state"] for row in rows}
    assert state["digital_sentry.diagnostics", "10.30.0.21", "10.30.0.10"] == "working"
    assert state["digital_sentry.diagnostics", "10.30.0.23", "10.30.0.10"] == "blocked"
    assert state["digital_sentry.diagnostics", "10.30.0.22", "10.30.0.10"] == "no attempt seen"
    assert state["digital_sentry.sql", "10.30.0.22", "10.30.0.11"] == "working"
    assert {row["required"] for row in rows if row["component"] == "digital_sentry.diagnostics"} == {"no"}
    assert all((row["tried_ns"] is None) == (row["state"] == "no attempt seen") for row in rows)
    assert not classifier.classify(CAPTURES / "neighbours.pcapng").rows("ports")
