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


def _distance(evaluation: Evaluation, backbone: str) -> float:
    distance = evaluation.ct.lpips.get(backbone)
    return distance(*evaluation.stacks) if distance else float("nan")
