"""Does a framed X-ray look like the view it is given as, with its bone bright? Warnings, never a silent change.

A PA film has a bright ridge, the mediastinum, between two dark lungs, and is brighter below them than above; a lateral
one has no ridge, and air in its upper corners. On the 80 PA and 12 lateral public films that the bounds were chosen on,
the ridge is 0.11 to 0.58 and -0.03 to 0.14, of a PA film 0.07 to 1.06 above that of its negative; the laterals' corners
are darker by 0.39 to 0.68; PA films are brighter below by 0.03 to 1.2. Other films are doubted wrongly at times.
Of a lateral film the upper back, with shoulder blade and arm, is brighter than what lies behind the breastbone: by 0.08
to 0.43 on four of the five that face left, by -0.62 to -0.22 on the seven that face right. The fifth, with raised arms,
is doubted wrongly; none of 228 phantoms and seven rendered CTs is, with -0.08 and more.
"""

import numpy as np
from numpy.typing import NDArray

from dx2ct.predict.framing import resampled

SIDE = 64
RIDGE, CLEAR_RIDGE, CORNER, UPSIDE_DOWN, FACES_RIGHT = 0.105, 0.2, 0.3, -0.1, -0.2


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


def brighter_below(small: NDArray[np.float32]) -> float:
    """How much the abdomen is brighter than the neck, and the lungs' bases than their tops; SIDE x SIDE, [0, 1]."""
    sides = np.r_[8:26, 38:56]
    return float(
        small[-12:, 16:48].mean() - small[:12, 16:48].mean() + small[44:60, sides].mean() - small[4:20, sides].mean()
    )


def brighter_at_the_right(small: NDArray[np.float32]) -> float:
    """How much the upper chest is brighter at the image's right than at its left; SIDE x SIDE, [0, 1]."""
    return float(small[8:28, 44:60].mean() - small[8:28, 4:20].mean())


def doubts(view: str, image: NDArray[np.float32], *, is_said: bool = False, is_oriented: bool = False) -> list[str]:
    """What looks wrong about an X-ray, cropped and turned but not padded, given as `view`, one line each.

    is_said: the file says itself that it is of this view, which is not doubted then. is_oriented: it says how it lies.
    """
    small = resampled(image, SIDE)
    low, high = np.percentile(small, (0.5, 99.5))
    small = np.clip((small - low) / max(high - low, 1e-6), 0, 1)
    if view == "pa" and (ridge(small) < RIDGE or ridge(small) < ridge(1 - small)):
        if corner_darkness(small) > CORNER:
            return [] if is_said else [_doubt("the PA X-ray looks like a lateral one")]
        return [_doubt("the PA X-ray shows no bright middle between two dark lungs: is bone dark (--invert pa)?")]
    if view == "pa" and brighter_below(small) < UPSIDE_DOWN:
        return [_doubt("the PA X-ray looks upside down (--rotate pa:180)")]
    if view == "lateral" and corner_darkness(small) < -CORNER:
        return [_doubt("the lateral X-ray has bright corners: is bone dark (--invert lateral)?")]
    if view == "lateral" and ridge(small) > CLEAR_RIDGE and not is_said:
        return [_doubt("the lateral X-ray looks like a PA one: a bright middle between two dark lungs")]
    if view == "lateral" and brighter_at_the_right(small) < FACES_RIGHT and not is_oriented:
        return [_doubt("the front of the chest seems to be at the right of the lateral X-ray (--flip lateral)")]
    return []


def _doubt(what: str) -> str:
    return f"a heuristic, at times wrong, doubts it; look at --preview: {what}"
