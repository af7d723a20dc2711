"""Image metrics of a reconstruction against its CT.

Published numbers of this task differ by rule more than by method, so every rule in use has its own name and stands
beside the others: `strict` is what this project reports, `published` what X2CT-GAN and PerX2CT compute. All are listed
in registry.py; docs/metrics.md is the table of definitions.
"""

from dx2ct.metrics.body import body_mask
from dx2ct.metrics.evaluation import Evaluation, Truth
from dx2ct.metrics.metric import Metric, Scope
from dx2ct.metrics.registry import measured, METRICS, score, views_in
from dx2ct.metrics.scale import Array, Distance

__all__ = [
    "METRICS",
    "Array",
    "Distance",
    "Evaluation",
    "Metric",
    "Scope",
    "Truth",
    "body_mask",
    "measured",
    "score",
    "views_in",
]
