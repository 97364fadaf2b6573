"""In words: what of a scan's values is interpolated or from fewer samples, and how far off."""

from __future__ import annotations

import numpy as np

from landscape.store.records import Certificate, Scan

TITLES = {"train_loss": "training loss", "validation_loss": "validation loss"}


def approximate(scan: Scan) -> list[str]:
    """A sentence on the subset of the samples, one on interpolation; none where all is exact."""
    found = []
    asked = scan.settings.get("samples")
    if asked is not None and not scan.tolerance:
        found.append(_subset(scan, asked))
    if scan.tolerance and scan.certificate is not None:
        found.append(_interpolated(scan, scan.certificate))
    return found


def _subset(scan: Scan, count: int) -> str:
    loss, error = scan.measures["train_loss"], scan.errors["train_loss"]
    known = np.isfinite(loss) & np.isfinite(error)
    size = np.maximum(np.abs(loss[known]), 1e-6)
    typical = f"{np.median(error[known] / size):.1%}" if known.any() else "unknown"
    return (
        f"Losses of {count:,} random samples, the same ones everywhere: standard error of the "
        f"training loss {typical} (median)."
    )


def _interpolated(scan: Scan, certificate: Certificate) -> str:
    share = scan.measured.mean()
    if not len(certificate.xy):
        return (
            f"Tolerance {certificate.tolerance:.2g}: interpolation was never near enough, or "
            "there were too few points to test it; every point is measured."
        )
    parts = []
    for name, title in TITLES.items():
        if name in certificate.predicted:
            off = certificate.summary(name)
            parts.append(
                f"{title} {off['mean']:.2%} off on average, 95 % of them below "
                f"{off['quantile95']:.2%}, all below {off['largest']:.2%}"
            )
    tried = f", attempt {certificate.attempts}" if certificate.attempts > 1 else ""
    return (
        f"{share:.1%} of the points are measured, the others interpolated to a tolerance of "
        f"{certificate.tolerance:.2%}; at {len(certificate.xy)} held-out random points{tried}: "
        f"{'; '.join(parts)}."
    )
