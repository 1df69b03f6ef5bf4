#!/usr/bin/env python3
"""What findings say of the sample captures, written down: `python tests/goldens.py --write` after a wanted change.

In: captures/*.pcap*. Out: `data/findings_of_samples.json`. Next: `test_findings_samples.py`; read the difference
before committing it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FILE = HERE / "data" / "findings_of_samples.json"
SAMPLES = sorted((ROOT / "captures").glob("*.pcap*"))
KEPT = ("code", "severity", "title", "summary", "display_filter", "selected_packets", "first_record", "flow_ids")


def golden_of(path: Path) -> dict[str, Any]:
    """What fired, in the order of the table, and which rules could not answer and why."""
    import classifier

    rows = classifier.classify(path).rows("findings")
    skipped: dict[str, list[str]] = {}
    for row in rows:
        if row["status"] == "skipped":
            skipped.setdefault(row["code"], []).append(row["skipped_because"])
    fired = [{name: row[name] for name in KEPT} for row in rows if row["status"] == "fired"]
    return {"fired": fired, "skipped": skipped}


def read() -> dict[str, Any]:
    """The written record: file name -> golden."""
    written: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return written


def main() -> int:
    """Write with --write, print without."""
    text = json.dumps({path.name: golden_of(path) for path in SAMPLES}, indent=1, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--write"]:
        FILE.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    raise SystemExit(main())
