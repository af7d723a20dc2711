"""LPIPS of the slices of a plane; the networks are in lpips.py, which imports torch."""

from dx2ct.metrics.evaluation import Evaluation


def lpips(evaluation: Evaluation) -> float:
    """LPIPS 0.1 with AlexNet, mean over the slices of the plane; the window is mapped to [-1, 1].

    Empty where it is switched off or the weights of AlexNet cannot be had.
    """
    return _distance(evaluation, "alex")


def lpips_vgg(evaluation: Evaluation) -> float:
    """LPIPS 0.1 with VGG16, mean over the slices of the plane; the window is mapped to [-1, 1]."""
    return _distance(evaluation, "vgg")


def perx2ct_lpips(evaluation: Evaluation) -> float:
    """LPIPS 0.1 with VGG16, mean over the slices of the plane; the window is scaled to **[0, 1]**, which is not what
    LPIPS expects.

    PerX2CT's rule, from a public description of it. Inferred: that DX2CT's table uses it, and that the truth alone is
    clipped.
    """
    return _distance(evaluation, "perx2ct")


def _distance(evaluation: Evaluation, definition: str) -> float:
    distance = evaluation.ct.lpips.get(definition)
    return distance(*evaluation.stacks) if distance else float("nan")
