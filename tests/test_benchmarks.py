"""The benchmark captures are the same for the same seed, and hold what they promise."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import oracles
import pytest
import reference

ROOT = Path(__file__).resolve().parent.parent


def load(name: str) -> ModuleType:
    """A script of `benchmarks/`, which is no package."""
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


generate = load("generate")


@pytest.mark.parametrize("kind", sorted(generate.PLANS))
def test_the_same_seed_gives_the_same_file(kind: str, tmp_path: Path) -> None:
    sizes = {"packets": 3000, "flows": 50, "size": 400}
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        generate.generate(kind, tmp_path / name, seed=seed, **sizes)
    one, two, three = ((tmp_path / name).read_bytes() for name in ("one", "two", "three"))
    assert one == two != three


def frames(path: Path) -> list[reference.Frame]:
    from scapy.utils import RawPcapReader

    with RawPcapReader(str(path)) as reader:
        return [(about.sec * 10**9 + about.usec * 1000, about.wirelen, data) for data, about in reader]


@pytest.mark.parametrize("kind", sorted(generate.PLANS))
def test_packets_flows_and_sizes_are_as_asked(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "made.pcap"
    generate.generate(kind, path, packets=4000, flows=40, size=300, seed=1)
    made = frames(path)
    flows, others = reference.flows(made)
    assert (len(made), len(flows), others) == (4000, 40, [])
    for flow in flows:
        if flow.protocol == reference.TCP:
            assert flow.sides[0].syns == 1 and flow.sides[1].synacks == 1
    if kind == "small":
        assert {wire for _, wire, _ in made} == {300}


def test_sites_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "sites.pcap"
    for seed in (1, 1, 2):
        generate.generate_sites(path.with_name(f"sites{seed}.pcap"), packets=45_000, seed=seed)
    assert path.with_name("sites1.pcap").read_bytes() != path.with_name("sites2.pcap").read_bytes()
    from scapy.utils import RawPcapReader

    with RawPcapReader(str(path.with_name("sites1.pcap"))) as reader:
        made = [(about.sec, about.wirelen, len(data)) for data, about in reader]
    seconds = [second for second, _, _ in made]
    assert len(made) == 45_000 and seconds == sorted(seconds) and seconds[-1] - seconds[0] > 200
    assert all(wire == kept for _, wire, kept in made)


@pytest.mark.tshark
def test_tshark_reads_it_without_complaint(tmp_path: Path) -> None:
    path = tmp_path / "made.pcap"
    generate.generate("video", path, packets=500, flows=20, size=600, seed=1)
    counts = oracles.tshark_counts(path)
    assert (
        counts is not None
        and counts.packets == 500
        and not counts.complaint.replace('Running as user "root" and group "root". This could be dangerous.', "")
    )
