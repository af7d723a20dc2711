"""What the training loop must know of the section `train` of any method's settings."""

from typing import Protocol


class ValidationPlan(Protocol):
    """Of `train.validation`: see settings.ValidationSettings."""

    @property
    def every(self) -> int:
        """Steps; 0: never."""

    @property
    def split(self) -> str:
        """Which scans are looked at."""

    @property
    def patience(self) -> int:
        """Validations without a better one before the end; 0: none."""

    @property
    def keep(self) -> str:
        """The weights that the run ends with: last or best."""


class Plan(Protocol):
    """Of `train`: see settings.OptimizerSettings."""

    @property
    def steps(self) -> int:
        """Length."""

    @property
    def batch(self) -> int:
        """Examples of a step, of all processes together."""

    @property
    def learning_rate(self) -> float:
        """Of Adam."""

    @property
    def betas(self) -> tuple[float, float]:
        """Of Adam."""

    @property
    def weight_decay(self) -> float:
        """Of Adam."""

    @property
    def schedule(self) -> str:
        """Constant, cosine or linear."""

    @property
    def warmup_steps(self) -> int:
        """Of the learning rate."""

    @property
    def clip_norm(self) -> float:
        """Of the gradient; 0: none."""

    @property
    def ema_decay(self) -> float:
        """Of the weights' moving average; 0: the last weights."""

    @property
    def validation(self) -> ValidationPlan:
        """While training."""
