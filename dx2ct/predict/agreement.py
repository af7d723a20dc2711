"""Whether the X-rays of an answer agree with those that it was made of, in words."""

from collections.abc import Mapping

from dx2ct.scoring.agreement import Agreement


def disagreement(agreement: Agreement | None, found: Mapping[str, float]) -> list[str]:
    """One line for each view that agrees less than is usual; found: shares left unexplained."""
    if agreement is None:
        return []
    return [
        f"{view}: X-rays of the result leave {found[view]:.0%} of this one unexplained, "
        f"usual is {agreement.usual[view]:.1%}, {agreement.limit[view]:.1%} at most: it is "
        f"unlike the training, do not trust the result"
        for view in agreement.beyond(found)
    ]
