#!/usr/bin/env python3
"""Write many small captures, a folder per site: for trying `classify batch`, for its tests, docs and notebook.

    python captures/make_many.py FOLDER [SITES [FILES]]      # 12 sites of 2 rotated files

In: nothing but the numbers: the same ones give the same files. Out: `site-01/trace_00001.pcap`, ... Every site is a
seed of `makers.varied`. One file is cut off in its last record, one is no capture at all.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:
    sys.path.insert(0, str(HERE.parent))

from captures.makers.varied import Options, make_site  # noqa: E402

KINDS = (
    Options(packets=600),
    Options(packets=600, layout="one_host"),
    Options(packets=600, start="midstream"),
    Options(packets=600, decoys="speaking"),
    Options(packets=600, ports="moved"),
)


def main(folder: Path, sites: int = 12, files: int = 2) -> None:
    """Write `sites` folders with `files` captures each below `folder`."""
    for number in range(1, sites + 1):
        place = folder / f"site-{number:02}"
        place.mkdir(parents=True, exist_ok=True)
        made = make_site(number, KINDS[number % len(KINDS)])
        parts = made.parts(files) if files > 1 else [made.capture]
        for part, data in enumerate(parts, 1):
            (place / f"trace_{part:05}.pcap").write_bytes(data)
    cut = folder / "site-02" / "trace_00001.pcap"
    if cut.exists():
        cut.write_bytes(cut.read_bytes()[:-7])
        (folder / "site-02" / "notes.pcap").write_text("the switch was restarted at noon\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:4]))
