"""The command `classify`, and `python -m classifier`: `cli.main` in a process that starts and ends quickly."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the command and end the process with its exit code.

    Taking the interpreter apart at the end costs a sixth of a small capture's time and has no purpose: output files
    are whole and closed by then. Nor has looking for cycles after every 700 objects: importing makes many.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy starts a pool of threads that nothing here uses
    gc.set_threshold(100_000, 20, 20)
    from classifier.cli import main

    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or nobody reads it any more
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
