"""Endpoints that messages name: SQL ports by SSRP, media ports by RTSP.

In: what `evidence` collected. Out: `Learned` rows for every signature that is learned that way. Whose they are,
attribution decides from the hosts around them. Next: `learned`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from classifier.evidence.collect import Announced
from classifier.evidence.sessions import Medium
from classifier.matching.model import Learned, SignatureSet

_OTHER_MEDIA = "other.rtp"


def learned_endpoints(
    signatures: SignatureSet, announced: Sequence[Announced], media: Sequence[Medium]
) -> list[Learned]:
    """One row per endpoint and instance, at its first announcement, in order of time."""
    rows: dict[tuple[str, str, int, str, str], Learned] = {}
    for key, item in [*_by_ssrp(signatures, announced), *_by_rtsp(signatures, media)]:
        known = rows.get(key)
        if known is None or (item.first_ns, item.capture, item.record) < (known.first_ns, known.capture, known.record):
            rows[key] = item
    return sorted(rows.values(), key=lambda item: (item.first_ns, item.capture, item.record, item.address, item.port))


def _by_ssrp(
    signatures: SignatureSet, announced: Iterable[Announced]
) -> Iterable[tuple[tuple[str, str, int, str, str], Learned]]:
    for said in announced:
        for signature in signatures.signatures:
            if said.port and "ssrp" in signature.learned_by:
                yield (
                    (signature.id, said.address, said.port, said.server, said.instance),
                    Learned(
                        component=signature.id,
                        address=said.address,
                        port=said.port,
                        transport="tcp",
                        by="ssrp",
                        instance=said.instance,
                        version=said.version,
                        first_ns=said.ts_ns,
                        capture=said.capture,
                        record=said.record,
                    ),
                )


def _by_rtsp(
    signatures: SignatureSet, media: Iterable[Medium]
) -> Iterable[tuple[tuple[str, str, int, str, str], Learned]]:
    receivers = [item.id for item in signatures.signatures if "rtsp" in item.learned_by]
    servers = [item.id for item in signatures.signatures if item.match == "content" and item.transport == "tcp"]
    for medium in media:
        if medium.by_digifort:
            components = servers
        elif medium.is_group or not receivers:
            components = [_OTHER_MEDIA]
        else:
            components = receivers
        for component in components:
            for port in medium.ports:
                yield (
                    (component, medium.address, port, "", ""),
                    Learned(
                        component=component,
                        address=medium.address,
                        port=port,
                        transport="udp",
                        by="rtsp",
                        first_ns=medium.flow.ts_ns,
                        capture=medium.capture,
                        record=medium.flow.record,
                    ),
                )
