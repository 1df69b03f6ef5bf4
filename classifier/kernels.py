"""Imports every module that holds kernels, so that the kernel cache's key covers all of them."""

from __future__ import annotations

import importlib

MODULES = (
    "classifier.capture.pcap",
    "classifier.capture.pcapng",
    "classifier.decode",
    "classifier.flows",
    "classifier.flows.copies",
)

for _name in MODULES:
    importlib.import_module(_name)
