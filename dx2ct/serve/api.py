"""What goes over HTTP as JSON: the types of requests and answers. They make the OpenAPI page."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from drr.errors import InputError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FramingIn(_Strict):
    """How an X-ray is framed, in this order, and where it was taken (docs/films.md)."""

    crop: tuple[int, int, int, int] | None = Field(
        default=None, description="left, top, right, bottom in pixels of the file"
    )
    rotate: int = Field(default=0, description="degrees clockwise, a multiple of 90")
    flip: bool = Field(default=False, description="left to right")
    invert: bool = Field(default=False, description="bone is dark in the file")
    spacing_mm: float | None = Field(default=None, description="of a pixel at the detector; null: as the file says")
    sid_mm: float | None = Field(default=None, description="from source to detector; null: as the file says, or usual")
    odd_mm: float | None = Field(
        default=None, description="from the middle of the patient to the detector; null: the same"
    )

    @field_validator("rotate")
    @classmethod
    def _quarter(cls, value: int) -> int:
        if value % 90:
            raise ValueError(f"rotate {value}: a multiple of 90 degrees")
        return value


class SettingsIn(_Strict):
    """How to sample; null: as the run itself does (docs/sampling.md). Methods that do not sample take passes alone."""

    solver: str | None = Field(default=None, max_length=20)
    steps: int | None = Field(default=None, ge=1, le=1000)
    samples: int | None = Field(default=None, ge=1, le=32)
    planes: Literal["alone", "together"] | None = None
    noise: Literal["image", "volume"] | None = None
    consistency: int | None = Field(default=None, ge=0, le=100, description="iterations, of line integrals (.mha)")
    seed: int | None = Field(default=None, ge=0, lt=2**31)
    passes: int | None = Field(default=None, ge=0, le=10, description="so often films of another beam are carried over")

    def asked(self) -> dict[str, Any]:
        """What `predict` is asked: the sampling without passes and without what is not said."""
        return self.model_dump(exclude_none=True, exclude={"passes", "keep_names"})


class RunIn(SettingsIn):
    """The same, for a run."""

    keep_names: bool = Field(default=False, description="write the films' own file names into run.json")


class SessionOut(BaseModel):
    """A new session. Its id is the key to all that is put into it."""

    session: str
    keep_minutes: float


class FilmOut(BaseModel):
    """A film as the network will see it. Pictures: films/VIEW/whole.png and seen.png?number=NUMBER."""

    view: str
    label: str
    number: int
    framing: FramingIn
    size: list[int] = Field(description="columns and rows of the file")
    kind: str
    notes: list[dict[str, Any]] = Field(description="text, and the cure: a label and keys of the framing, or null")
    place: dict[str, Any] | None
    passes: int


class CostOut(BaseModel):
    """Seconds on this machine; null while nothing was measured."""

    seconds: float | None


class RunOut(BaseModel):
    """Where a run is. estimate: counts the answers so far, each in estimate.nii.gz until ct.nii.gz is there."""

    run: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    before: int = Field(description="tasks that come first")
    fraction: float
    steps_done: int
    steps: int
    seconds: float
    seconds_left: float | None
    estimate: int
    error: str
    result: dict[str, Any] | None


class ScoresOut(BaseModel):
    """Metrics against a truth (docs/metrics.md)."""

    how: str
    scores: dict[str, float | None]


class Refusal(BaseModel):
    """Why not, in one line."""

    detail: str


def require_solver(settings: SettingsIn, solvers: dict[str, str], is_sampled: bool, most_steps: int | None) -> None:
    """InputError for settings that the model cannot follow, before anything waits for them."""
    if settings.asked() and not is_sampled:
        raise InputError(f"{', '.join(settings.asked())}: this model does not sample, leave it out")
    if settings.solver is not None and settings.solver not in solvers:
        raise InputError(f"solver {settings.solver!r} is not one of {', '.join(solvers)}")
    if most_steps and (settings.steps or 0) > most_steps:
        raise InputError(f"steps {settings.steps}: the model was trained with {most_steps} time steps, take no more")
