"""Workers of a Dask cluster (`dask.distributed`), for captures that one machine is not enough for.

In: jobs as text, the scheduler's address. Out: answers as they come, as from `pool`. Next: `run`. Workers need the
same version of this package, and must see captures and dataset under the same paths. A job whose worker dies goes
to another one, by the scheduler's own rules (`distributed.scheduler.allowed-failures`, 3). A worker does one capture at
a time, however many threads it has.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import secrets
from collections.abc import Iterable, Iterator

from classifier.batch.dataset import BatchError
from classifier.batch.pool import Outcome
from classifier.batch.task import work

CONNECT_S = 10.0


def run(jobs: Iterable[str], address: str, connect_s: float = CONNECT_S) -> Iterator[Outcome]:
    """Do the jobs on the cluster; raises BatchError when it cannot be reached, or is lost."""
    from distributed import Client, KilledWorker, as_completed

    try:
        client = Client(address, timeout=connect_s, set_as_default=False, name="classify-batch")
    except (OSError, ValueError, TypeError, TimeoutError) as error:
        raise BatchError(f"no scheduler at {address} ({_first_line(error)})") from None
    try:
        run_id = secrets.token_hex(6)
        texts = list(jobs)
        number_of = {f"classify-{run_id}-{number}": number for number in range(len(texts))}
        futures = client.map(work, texts, key=list(number_of), pure=False)
        waiting = as_completed(futures, loop=client.loop)
        del futures  # a future that is done and no longer held frees what its worker keeps
        for future in waiting:
            number = number_of[future.key]
            if future.status == "finished":
                yield number, str(future.result()), ""
                continue
            if future.status != "error":
                raise BatchError(f"the cluster at {address} was lost")
            cause = future.exception()
            if not isinstance(cause, KilledWorker):
                raise BatchError(f"a worker of {address} failed: {type(cause).__name__}: {_first_line(cause)}")
            yield number, None, "reading it ended every worker that tried"
    except (OSError, TimeoutError, concurrent.futures.CancelledError, asyncio.CancelledError) as error:
        # the scheduler went away between a job's end and its answer
        raise BatchError(f"the cluster at {address} was lost ({_first_line(error)})") from None
    finally:
        client.close()


def _first_line(error: BaseException | None) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
