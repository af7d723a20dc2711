"""Whether the deviation that `predict` writes is calibrated, as people and the record are told."""

from typing import Any

from dx2ct.config import plain, SamplingOptions
from dx2ct.scoring.deviation import DeviationScale


def fitting(scale: DeviationScale | None, options: SamplingOptions) -> DeviationScale | None:
    """A run's scale where it holds: it was learnt with this sampling."""
    return scale if scale is not None and scale.fits(options) else None


def in_words(scale: DeviationScale | None, options: SamplingOptions) -> str:
    """One line; scale: the run's, None where its folder has none of these weights."""
    if scale is None:
        return "deviation of the samples: not calibrated, the run has no deviation_scale.json of its weights"
    if not scale.fits(options):
        return "deviation of the samples: not calibrated, its scale was learnt with another sampling than this one"
    found = f"calibrated, times {scale.scale:.2f} with a floor of {scale.floor_hu:.0f} HU"
    found += f", learnt on {len(scale.scans)} validation scan{'s' * (len(scale.scans) > 1)}"
    if scale.held_out is not None:
        found += f"; one deviation covers {100 * scale.held_out.one:.0f} % of the errors in scans left out of it"
    return f"deviation of the samples: {found}; not tried on films"


def record(scale: DeviationScale | None) -> dict[str, Any]:
    """For run.json; scale: the one that was applied."""
    if scale is None:
        return {"calibrated": False}
    coverage = {"samples": plain(scale.samples), "held_out": plain(scale.held_out) if scale.held_out else None}
    return {
        "calibrated": True,
        "scale": scale.scale,
        "floor_hu": scale.floor_hu,
        "coverage": coverage,
        "scans": scale.scans,
    }
