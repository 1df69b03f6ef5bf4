#!/usr/bin/env python3
"""Write many small captures, a folder per site: for trying `classify batch`, for its tests, docs and notebook.

    python captures/make_many.py FOLDER [SITES [FILES]]      # 12 sites of 2 rotated files

In: nothing but the numbers: the same ones give the same files. Out: `site-01/trace_00001.pcap`, ... Every site is a
seed of `makers.varied`. On site-02 one file is cut off in its last record, and one is no capture at all; every fifth
site has a second system on its network, whose server sends to the same groups; every sixth loses
packets of one camera.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:
    sys.path.insert(0, str(HERE.parent))

from captures.makers.varied import Options, make_site  # noqa: E402
from captures.makers.varied.seen import pcap, rotated  # noqa: E402
from captures.makers.varied.wire import Packet  # noqa: E402

KINDS = (
    Options(packets=600),
    Options(packets=600, layout="one_host"),
    Options(packets=600, start="midstream"),
    Options(packets=600, decoys="speaking"),
    Options(packets=600, ports="moved"),
)
SECOND_SYSTEM, LOSES = 5, 6


def site(number: int) -> tuple[list[Packet], Options]:
    """The packets of a site."""
    options = KINDS[number % len(KINDS)]
    packets = list(make_site(number, options).packets)
    if number % SECOND_SYSTEM == 0:
        packets += make_site(1000 + number, KINDS[0]).packets
        packets.sort(key=lambda packet: packet.at)
    if number % LOSES == 0:
        media = (packet.flow for packet in packets if packet.flow is not None)
        camera = next((flow for flow in media if flow.component == "digifort.media_input"), None)
        rng = random.Random(number)
        packets = [p for p in packets if camera is None or p.flow is not camera or rng.random() > 0.25]
    return packets, options


def main(folder: Path, sites: int = 12, files: int = 2) -> None:
    """Write `sites` folders with `files` captures each below `folder`."""
    for number in range(1, sites + 1):
        place = folder / f"site-{number:02}"
        place.mkdir(parents=True, exist_ok=True)
        packets, options = site(number)
        parts = rotated(packets, options, files, number) if files > 1 else [pcap(packets, options)]
        for part, data in enumerate(parts, 1):
            (place / f"trace_{part:05}.pcap").write_bytes(data)
    cut = folder / "site-02" / "trace_00001.pcap"
    if cut.exists():
        cut.write_bytes(cut.read_bytes()[:-7])
        (folder / "site-02" / "notes.pcap").write_text("the switch was restarted at noon\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:4]))
