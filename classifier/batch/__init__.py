"""Many captures: each is classified on its own, on this machine or on a cluster, into one dataset of Parquet files.

    from classifier.batch import classify
    outcome = classify(["captures/"], "dataset")

In: paths of captures, a folder. Out: the dataset (docs/dataset.md) and an `Outcome`. A file's way: `inputs` finds it,
`run` sees whether it is done already, `pool` (processes here) or `cluster` (Dask) hands it to `task.work`, which writes
its tables into a staging folder, and `dataset` puts them in their places. `summary` reads them back.
Importing this package loads nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classifier.batch.run import Outcome, classify

__all__ = ["Outcome", "classify"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from classifier.batch import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
