"""What numpy has, quicker for the arrays of this program.

In: arrays. Out: arrays. Next: whoever groups rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def distinct(values: Array) -> Array:
    """Each of some numbers once, ascending: (k,) of the dtype of `values`, (n,).

    `np.unique` hashes integers (from numpy 2.3), which takes ten times as long as sorting them, and imports
    `numpy.ma`, which takes as long as reading a thousand packets.
    """
    ordered = np.sort(values)
    if len(ordered) < 2:
        return ordered
    new = np.empty(len(ordered), bool)
    new[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    kept: Array = ordered[new]
    return kept
