"""Opening and walking captures: pcap, pcapng, plain or compressed, files, folders, standard input.

In: paths or streams. Out: `open_capture(...).batches()` yields RecordBatch (rows of `columns.RECORD` and the bytes they
point into); `CaptureReader.info` is what the report says about the file. Next: `classifier.decode`.

`source.py` moves a window over the bytes (`compression.py` inflates), `reader.py` drives a walker over the window:
`pcap.py` or `pcapng.py`, whose kernels fill the rows. `merge.py` reads several captures as one, in time order.
"""

from __future__ import annotations

from classifier.capture.detect import find_captures, is_capture
from classifier.capture.linktypes import link_type_name
from classifier.capture.merge import CaptureSet, time_order
from classifier.capture.model import CaptureInfo, Comment, Interface, Problem, RecordBatch
from classifier.capture.reader import CaptureReader, open_capture

__all__ = [
    "CaptureInfo",
    "CaptureReader",
    "CaptureSet",
    "Comment",
    "Interface",
    "Problem",
    "RecordBatch",
    "find_captures",
    "is_capture",
    "link_type_name",
    "open_capture",
    "time_order",
]
