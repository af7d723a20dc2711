"""Does a framed X-ray look like the view it is given as, with its bone bright? Warnings, never a silent change.

A PA film has a bright ridge, the mediastinum, between two dark lungs; a lateral one has none, and air in its upper
corners. On the 80 PA and 12 lateral public films that the bounds were chosen on, the ridge is 0.11 to 0.58 and -0.03 to
0.14, of a PA film 0.07 to 1.06 above that of its negative; the laterals' corners are darker by 0.39 to 0.68.
"""

import numpy as np
from numpy.typing import NDArray

from dx2ct.predict.framing import resampled

SIDE = 64
RIDGE, CLEAR_RIDGE, CORNER = 0.105, 0.2, 0.3


def ridge(small: NDArray[np.float32]) -> float:
    """How much a middle strip is brighter than the strips at its left and at its right, at best; SIDE x SIDE, [0, 1].

    The lesser of the two differences counts, so that only what is dark on both sides of the strip, as lungs are, does.
    """
    profile = small[14:42].mean(axis=0)
    return max(
        float(profile[c - 3 : c + 4].mean() - max(profile[c - 18 : c - 6].mean(), profile[c + 6 : c + 18].mean()))
        for c in range(28, 36)
    )


def corner_darkness(small: NDArray[np.float32]) -> float:
    """How much darker the upper corners are than the middle; SIDE x SIDE, [0, 1]."""
    corners = np.concatenate([small[:8, :8], small[:8, -8:]])
    return float(small[20:60, 12:52].mean() - corners.mean())


def doubts(view: str, image: NDArray[np.float32]) -> list[str]:
    """What looks wrong about an X-ray, cropped and turned but not padded, given as `view`, one line each."""
    small = resampled(image, SIDE)
    low, high = np.percentile(small, (0.5, 99.5))
    small = np.clip((small - low) / max(high - low, 1e-6), 0, 1)
    look = "look at --preview"
    if view == "pa" and (ridge(small) < RIDGE or ridge(small) < ridge(1 - small)):
        if corner_darkness(small) > CORNER:
            return [f"the PA X-ray looks like a lateral one: no bright middle between two dark lungs: {look}"]
        return [f"the PA X-ray shows no bright middle between two dark lungs: is bone dark (--invert pa)? {look}"]
    if view == "lateral" and corner_darkness(small) < -CORNER:
        return [f"the lateral X-ray has bright corners: is bone dark (--invert lateral)? {look}"]
    if view == "lateral" and ridge(small) > CLEAR_RIDGE:
        return [f"the lateral X-ray looks like a PA one: a bright middle between two dark lungs: {look}"]
    return []
