"""Make the sample captures and the truth beside them: `python captures/make_samples.py [FOLDER]`.

The bytes are the same on every run. Without a folder the files beside this script are written.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from makers import digifort, digital_sentry, neighbours  # noqa: E402
from makers.files import capture_bytes  # noqa: E402
from makers.truth import truth_text  # noqa: E402

BUILDERS = (digifort.build, digital_sentry.build, neighbours.build)


def main(folder: Path = HERE) -> None:
    """Write every capture and its truth below `folder`."""
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    for build in BUILDERS:
        site = build()
        (folder / site.name).write_bytes(capture_bytes(site))
        (folder / "truth" / f"{Path(site.name).stem}.json").write_text(truth_text(site), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
