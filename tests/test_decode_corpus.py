"""TCP and UDP flows of a folder of captures, innermost addresses and ports, against tshark's.

`CLASSIFIER_CORPUS` names the folder. `data/decode_differences.toml` lists the files that differ, with the reason; an
entry that no longer holds fails as stale, and at least 97 % of all files must agree. Later fragments are left out on
both sides: whose they are is the flow table's business, not the decoder's.
"""

from __future__ import annotations

import subprocess
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import corpus_files
from test_decode_oracles import FIELDS, PORTS, innermost

from classifier.capture import open_capture
from classifier.columns import PACKET
from classifier.decode import protocol_name
from classifier.errors import CaptureError
from classifier.flows.table import address_text
from classifier.jit import speed, view

DIFFERENCES = Path(__file__).resolve().parent / "data" / "decode_differences.toml"
FILES = corpus_files()
AGREEMENT = 0.97

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.slow,
    pytest.mark.tshark,
    pytest.mark.skipif(not FILES, reason="CLASSIFIER_CORPUS is not set"),
]

Flows = Counter[tuple[str, str, str, int, int, int]]  # transport, addresses, ports, wire bytes: packets


def name_of(path: Path) -> str:
    """The last three parts of the path: enough to tell files apart, wherever the corpus lies."""
    return "/".join(path.parts[-3:])


def ours(path: Path) -> Flows:
    """Packets by flow and length, as the decoder says."""
    flows: Flows = Counter()
    try:
        with open_capture(str(path), compiled=True) as reader:
            for batch in reader.batches():
                packets = np.zeros(len(batch.records), PACKET)
                speed(True).decode_batch(view(batch.buffer, True), batch.records, len(packets), packets)
                for row in packets[np.isin(packets["proto"], (6, 17)) & (packets["frag_offset"] == 0)]:
                    words = ([row[f"{side}{i}"] for i in range(4)] for side in ("src", "dst"))
                    src, dst = (address_text(word, row["version"]) for word in words)
                    key = (protocol_name(row["proto"]), src, dst, int(row["src_port"]), int(row["dst_port"]))
                    flows[(*key, int(row["wire"]))] += 1
    except CaptureError:
        pass
    return flows


def theirs(path: Path) -> Flows:
    """The same by tshark, which looks at each frame alone; what it refuses has no flows."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|"]
    for option in ("ip.defragment", "ipv6.defragment", "tcp.desegment_tcp_streams", "wlan.defragment"):
        command += ["-o", f"{option}:FALSE"]
    for field in (*FIELDS, *PORTS, "frame.len"):
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, check=False)
    flows: Flows = Counter()
    for line in done.stdout.splitlines():
        fields, _, length = line.rpartition("\t")
        if length.isdigit():
            found = innermost(fields)
            if found[0]:
                flows[(*found, int(length))] += 1
    return flows


def test_flows_agree_with_tshark() -> None:
    with ThreadPoolExecutor(2) as pool:
        opinions = dict(zip(FILES, pool.map(theirs, FILES), strict=True))
    differing = {name_of(path) for path, flows in opinions.items() if flows != ours(path)}
    listed = {entry["file"]: entry["reason"] for entry in tomllib.loads(DIFFERENCES.read_text())["difference"]}
    here = {name_of(path) for path in FILES}
    assert sorted(differing - set(listed)) == []
    assert sorted(set(listed) & here - differing) == [], "stale entries"
    assert all(listed.values())
    assert len(differing) <= (1 - AGREEMENT) * len(FILES)
