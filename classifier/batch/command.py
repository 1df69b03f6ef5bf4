"""What `classify batch` shows and how it ends.

In: its options. Out: the summary on stdout, progress and messages on stderr, an exit code of the contract.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from classifier.batch import screen
from classifier.batch.dataset import BatchError
from classifier.batch.progress import BatchProgress
from classifier.batch.run import Outcome, classify
from classifier.batch.summary import read_table, summarise
from classifier.cli import EXIT_DAMAGED, EXIT_FINDING, EXIT_INTERRUPTED, EXIT_OK, EXIT_UNREADABLE, EXIT_USAGE, complain
from classifier.findings import any_fired
from classifier.output import put_text

SAME_COMMAND = "what is done stays; the same command continues"


def run(captures: Sequence[str], dataset: str, *, fail_on: str | None, quiet: bool, **options: Any) -> int:
    """Run the batch; the exit code. Raises SignatureError."""
    if options["scheduler"] is not None:
        _quiet_cluster()
    progress = BatchProgress(sys.stderr, enabled=not quiet)

    def remark(message: str) -> None:
        progress.wipe()
        complain(message)

    try:
        outcome = classify(captures, dataset, show=progress.show, remark=None if quiet else remark, **options)
    except BatchError as error:
        progress.close()
        complain(str(error))
        return EXIT_USAGE
    except KeyboardInterrupt:
        progress.close()
        complain(f"stopped; {SAME_COMMAND}")
        return EXIT_INTERRUPTED
    finally:
        progress.close()
    for missing in outcome.missing:
        complain(str(missing))
    if not quiet:
        _remark(outcome, bool(options["prune"]))
    if not outcome.captures:
        return EXIT_UNREADABLE
    put_text(screen.text(summarise(outcome.dataset), _product_names(options["signatures"])), None)
    if outcome.missing or outcome.unreadable:
        return EXIT_UNREADABLE
    if fail_on is not None and _has_finding(outcome, fail_on):
        return EXIT_FINDING
    return EXIT_DAMAGED if outcome.damaged else EXIT_OK


def _quiet_cluster() -> None:
    """The cluster's library says on stderr what we say in a sentence."""
    import logging

    logging.getLogger("distributed").setLevel(logging.CRITICAL)


def _remark(outcome: Outcome, prune: bool) -> None:
    if outcome.skipped:
        complain(f"{outcome.skipped:,} of {outcome.captures:,} captures were in the dataset already, unchanged")
    if outcome.pruned:
        complain(f"{outcome.pruned:,} captures taken out of the dataset: not among the inputs")
    if prune and outcome.missing:
        complain("nothing was taken out of the dataset, because inputs are missing")
    if outcome.elsewise:
        complain(
            f"{outcome.elsewise:,} captures in the dataset are not among the inputs, and were made by another version "
            "or with other options; --prune takes them out"
        )


def _product_names(signatures: Sequence[str]) -> dict[str, str]:
    from classifier.matching import load_signatures

    return {product.id: product.name for product in load_signatures(signatures).products}


def _has_finding(outcome: Outcome, fail_on: str) -> bool:
    rows = read_table(outcome.dataset, "findings", ("capture_id", "severity", "status"))
    return any_fired((row for row in rows if row["capture_id"] in outcome.ids), fail_on)
