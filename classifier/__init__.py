"""Which components of a video-management system are in a packet capture, and how much bandwidth each takes.

    import classifier
    report = classifier.classify("site.pcapng")
    report.components

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from classifier import errors

if TYPE_CHECKING:
    from classifier.engine import classify
    from classifier.matching.site import Site
    from classifier.report import Report

__version__ = "0.1.0"

__all__ = ["Report", "Site", "__version__", "classify", "errors"]


def __getattr__(name: str) -> Any:
    if name == "classify":
        from classifier.engine import classify

        return classify
    if name == "Report":
        from classifier.report import Report

        return Report
    if name == "Site":
        from classifier.matching.site import Site

        return Site
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
