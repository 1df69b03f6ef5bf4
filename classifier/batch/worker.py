"""A worker process of this machine: jobs come in on standard input, answers go out on standard output, a line each.
Besides answers: how many bytes of a capture are read, and that kernels are being compiled.

Next: `pool`, which starts it. It ends when its input ends, also in the middle of a job: the process that asked is gone.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from typing import Any

TELL_S = 0.2


def main() -> None:
    """Work until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # whatever a library prints does not get between the answers

    def say(**message: Any) -> None:
        try:
            out.write(json.dumps(message) + "\n")
            out.flush()
        except OSError:
            os._exit(1)

    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            jobs.put(line)
        os._exit(0)

    from classifier import jit
    from classifier.batch.task import work

    jit.on_compile(lambda message: say(remark=message))
    threading.Thread(target=listen, daemon=True).start()
    say(ready=True)
    while True:
        job = jobs.get()
        last = time.monotonic()

        def told(done: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= TELL_S:
                last = now
                say(bytes=done)

        say(answer=work(job, told))
