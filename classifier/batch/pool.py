"""Worker processes on this machine.

In: jobs as text. Out: answers as they come. Next: `run`. Why not `concurrent.futures`: when one of its processes dies
(out of memory, say), all that is under way is lost, and nothing tells whose fault it was. Why not Dask's own local
cluster: it takes seconds to start, and a library that a single machine does not need. Here a job whose process dies is
done once more, alone, after all others; when that one dies too, the capture is reported as the cause.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from classifier.batch.dataset import BatchError

_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from classifier.batch.worker import main; main()"

Outcome = tuple[int, str | None, str]
"""Number of the job; its answer, or None and what happened instead."""


class _Worker:
    """One process, and the thread that listens to it."""

    def __init__(self, heard: queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]]) -> None:
        self.job: int | None = None
        self.ready = False
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="ascii",
                process_group=0 if os.name == "posix" else None,  # Ctrl-C reaches the parent alone
            )
        except OSError as error:
            raise BatchError(f"no worker process could be started ({error.strerror or error})") from None
        self._listener = threading.Thread(target=self._listen, args=(heard,), daemon=True)
        self._listener.start()

    def _listen(self, heard: queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                heard.put((self, json.loads(line)))
            except ValueError:  # cut off in the middle of a line
                break
        heard.put((self, None))

    def give(self, number: int, job: str) -> None:
        """Hand over a job; that the process is gone already is heard later."""
        self.job = number
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(job + "\n")
            self.process.stdin.flush()

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait()
        self._listener.join(10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def run(
    jobs: Iterable[str], workers: int, told: Callable[[int, int], None], remark: Callable[[str], None]
) -> Iterator[Outcome]:
    """Do the jobs in `workers` processes. `told(job, bytes read)`: how far a job has come. `remark`: what it waits for.

    Raises BatchError when processes cannot be started. Ending the iteration ends the processes.
    """
    texts = list(jobs)
    waiting = deque(range(len(texts)))
    again: deque[int] = deque()
    tried: set[int] = set()
    heard: queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]] = queue.SimpleQueue()
    crew: list[_Worker] = []
    left = len(texts)
    try:
        crew += [_Worker(heard) for _ in range(min(workers, len(texts)))]
        while left:
            worker, message = _hear(heard)
            if message is None:
                crew.remove(worker)
                worker.end()
                how = _ended(worker.process.returncode)
                if not worker.ready:
                    raise BatchError(f"a worker process could not start ({how})")
                if worker.job is not None:
                    if worker.job in tried:
                        left -= 1
                        yield worker.job, None, f"reading it ended the process, twice ({how})"
                    else:
                        tried.add(worker.job)
                        again.append(worker.job)
                if left > len([each for each in crew if each.job is not None]):
                    crew.append(_Worker(heard))
            elif "bytes" in message:
                if worker.job is not None:
                    told(worker.job, int(message["bytes"]))
            elif "remark" in message:
                remark(str(message["remark"]))
            elif "answer" in message:
                assert worker.job is not None
                done, worker.job = worker.job, None
                left -= 1
                yield done, str(message["answer"]), ""
            else:
                worker.ready = True
            _hand_out(crew, texts, waiting, again)
    finally:
        for worker in crew:
            worker.end()


def _hear(heard: queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]]) -> tuple[_Worker, dict[str, Any] | None]:
    while True:
        with contextlib.suppress(queue.Empty):
            return heard.get(timeout=0.5)  # a wait without end would not notice Ctrl-C on Windows


def _hand_out(crew: list[_Worker], texts: list[str], waiting: deque[int], again: deque[int]) -> None:
    for worker in crew:
        if worker.ready and worker.job is None:
            busy = any(each.job is not None for each in crew)
            if waiting:
                number = waiting.popleft()
            elif again and not busy:
                number = again.popleft()
            else:
                return
            worker.give(number, texts[number])


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        import signal

        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
