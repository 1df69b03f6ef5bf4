"""Signatures and attribution: which component of which product owns each flow.

In: `FlowTable`, `LinkTable`, signature files, learned endpoints. Out: `Attribution`. Next: `classifier.report`.

`model` what a signature is · `checking`, `loader` from TOML to `SignatureSet` · `attribute` the rules in order, over
`groups`, `content`, `learned`, `claims`, `corroborate`, `services` · `endpoints` what messages named · `hosts` who
holds which role · `labels` the state meanwhile · `attribution`, `reasons`, `roles` the result and its words.
"""

from __future__ import annotations

from classifier.matching.attribute import attribute
from classifier.matching.attribution import Attribution
from classifier.matching.endpoints import learned_endpoints
from classifier.matching.loader import load_signatures, signature_directory
from classifier.matching.model import GRADES, Learned, Signature, SignatureSet, service_ports
from classifier.matching.roles import Heard

__all__ = [
    "GRADES",
    "Attribution",
    "Heard",
    "Learned",
    "Signature",
    "SignatureSet",
    "attribute",
    "learned_endpoints",
    "load_signatures",
    "service_ports",
    "signature_directory",
]
