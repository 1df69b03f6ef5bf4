"""Rules about connections stay few and quick however many hosts there are."""

from __future__ import annotations

from pathlib import Path

from test_benchmarks import generate

import classifier
from classifier.findings import Settings


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
