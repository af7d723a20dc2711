"""Typed settings of every stage: one frozen dataclass per section of config.yaml, no defaults anywhere.

The rules turn config sections into one JSON string with sorted keys; `parse` turns it into these values and refuses
unknown keys, missing keys and wrong types, so a stage cannot read a key that its rule does not track.
"""

from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from drr.errors import InputError
from drr.geometry import ConeBeam, PRESETS

_STRICT = ConfigDict(extra="forbid")
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
ViewName = Literal["pa", "lateral"]


@dataclass(frozen=True, config=_STRICT)
class PhantomSettings:
    """Stage phantom: `seed` is the row's own seed in the cohort table."""

    version: int
    seed: Seed


@dataclass(frozen=True, config=_STRICT)
class RemoteSource:
    """An archive: `idc`, a public bucket with one folder a series, or `nbia`, the NBIA REST API (version 4).

    Plain http is for servers on this machine only.
    """

    kind: Literal["idc", "nbia"]
    url: Annotated[str, Field(pattern=r"^(https://[^/\s]+|http://(127\.0\.0\.1|localhost)(:[0-9]+)?)(/\S*)?$")]


@dataclass(frozen=True, config=_STRICT)
class LocalSource:
    """A folder that holds the collection already, in any layout."""

    kind: Literal["local"]
    path: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=_STRICT)
class DownloadSettings:
    """Stage download: the sources in the order they are asked, and how patient to be with each.

    A request is tried `tries` times; the n-th pause is `backoff_s` times 2 to the n-1, with jitter. No result depends
    on these values: a series is what the manifest says, wherever it comes from.
    """

    sources: Annotated[tuple[RemoteSource | LocalSource, ...], Field(min_length=1)]
    connect_timeout_s: PositiveFloat
    read_timeout_s: PositiveFloat
    tries: PositiveInt
    backoff_s: Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=_STRICT)
class FilterSettings:
    """Which scans a cohort takes, by what the sheet says of them; None sets no bound (see selection.py)."""

    max_slice_mm: PositiveFloat | None
    max_gap_mm: PositiveFloat | None
    min_z_mm: PositiveFloat | None
    max_z_mm: PositiveFloat | None
    min_fov_mm: PositiveFloat | None
    max_fov_mm: PositiveFloat | None
    contrast: bool | None
    exclude_flags: tuple[Literal["duplicate-slices", "irregular-spacing", "missing-slices", "split-leak"], ...]


@dataclass(frozen=True, config=_STRICT)
class SelectionSettings:
    """Stage cohort: split, size and filters."""

    split: Annotated[str, Field(pattern="^[a-z0-9_]+$")] | None
    limit: Annotated[int, Field(ge=2)] | None
    filters: FilterSettings


@dataclass(frozen=True, config=_STRICT)
class VolumeSettings:
    """Stage volume: the resampled cube."""

    version: int
    spacing_mm: PositiveFloat
    size: PositiveInt
    z_part: Literal["inferior", "center", "superior"]
    interpolation: Literal["linear", "bspline"]
    max_hole_mm: NotNegative


@dataclass(frozen=True, config=_STRICT)
class XraySettings:
    """Stage xray: tube, detector and HU-to-attenuation rule."""

    version: int
    geometry: Literal["x2ct", "perx2ct"] | ConeBeam
    attenuation: Literal["plastimatch"]

    @property
    def cone_beam(self) -> ConeBeam:
        """The geometry, whether named or spelled out."""
        return PRESETS[self.geometry] if isinstance(self.geometry, str) else self.geometry


@dataclass(frozen=True, config=_STRICT)
class SlicesSettings:
    """Stage slices: the training grid, `size` voxels along each axis of the volume's cube."""

    version: int
    size: PositiveInt


@dataclass(frozen=True, config=_STRICT)
class Dx2ctRun:
    """A row of `runs:` for DX2CT: the views it sees and its ablations (the paper's Table II)."""

    method: Literal["dx2ct"]
    views: Annotated[tuple[ViewName, ...], Field(min_length=1)]
    conditioning: Literal["spade", "concat"]
    query_transformer: bool
    prediction: Literal["epsilon", "v", "x0"]


@dataclass(frozen=True, config=_STRICT)
class MeanRun:
    """A row of `runs:` for the mean training volume, the floor of every comparison."""

    method: Literal["mean"]


@dataclass(frozen=True, config=_STRICT)
class EncoderSettings:
    """The ResNet whose conv2_x, conv3_x and conv4_x are the feature scales; `pretrained` may be a file of weights."""

    blocks: tuple[PositiveInt, PositiveInt, PositiveInt]
    width_per_group: PositiveInt
    norm: Literal["batch", "group"]
    pretrained: bool | Annotated[str, Field(pattern=r"\.pth?$")]


@dataclass(frozen=True, config=_STRICT)
class PositionSettings:
    """The two position-encoding networks."""

    xray: Literal["plane", "cone_beam"]
    octaves: PositiveInt
    hidden: PositiveInt
    layers: PositiveInt


@dataclass(frozen=True, config=_STRICT)
class TransformerSettings:
    """The 3DPQT of every scale, and how its attention starts (see models/query_transformer.py)."""

    start: Literal["match", "independent"]
    width: PositiveInt
    heads: PositiveInt
    blocks: PositiveInt
    mlp_ratio: PositiveFloat


@dataclass(frozen=True, config=_STRICT)
class UNetSettings:
    """The denoising 2-D U-Net."""

    channels: PositiveInt
    multipliers: tuple[PositiveInt, ...]
    res_blocks: PositiveInt
    attention_levels: tuple[int, ...]
    head_channels: PositiveInt
    norm_groups: PositiveInt
    spade_hidden: PositiveInt
    dropout: Fraction


@dataclass(frozen=True, config=_STRICT)
class ModelSettings:
    """The whole network; `xray_pixels` is the side of the X-ray that the encoder sees."""

    xray_pixels: PositiveInt
    encoder: EncoderSettings
    positions: PositionSettings
    transformer: TransformerSettings
    unet: UNetSettings


@dataclass(frozen=True, config=_STRICT)
class DiffusionSettings:
    """The forward process."""

    timesteps: PositiveInt
    beta_start: Annotated[float, Field(gt=0, lt=1)]
    beta_end: Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True, config=_STRICT)
class ValidationSettings:
    """Validation PSNR while training: `every` steps (0: never), on `slices` fixed slices of a split by DDIM in `steps`.

    patience: end after so many validations without a better one (0: never); keep: which weights the run ends with.
    """

    every: Annotated[int, Field(ge=0)]
    split: Literal["val", "train"]
    slices: PositiveInt
    steps: PositiveInt
    patience: Annotated[int, Field(ge=0)]
    keep: Literal["last", "best"]


@dataclass(frozen=True, config=_STRICT)
class OptimizerSettings:
    """Training: optimizer, length, batches. `batch` is that of all processes together."""

    seed: Seed
    steps: PositiveInt
    batch: PositiveInt
    accumulate: PositiveInt
    slices_per_patient: PositiveInt
    precision: Literal["auto", "float32", "bf16"]
    learning_rate: PositiveFloat
    beta2: Annotated[float, Field(gt=0, lt=1)]
    schedule: Literal["constant", "cosine"]
    warmup_steps: int
    clip_norm: Annotated[float, Field(ge=0)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    validation: ValidationSettings

    @property
    def betas(self) -> tuple[float, float]:
        """Of Adam."""
        return 0.9, self.beta2

    @property
    def weight_decay(self) -> float:
        """Of Adam: none."""
        return 0.0


@dataclass(frozen=True, config=_STRICT)
class EngineSettings:
    """How a training runs on a machine: nothing here decides what is learnt, so no rule tracks it."""

    compile: bool | Literal["cuda_graphs"]
    memory_format: Literal["auto", "contiguous", "channels_last"]
    tensorboard: bool


PLAIN_ENGINE = EngineSettings(compile=False, memory_format="auto", tensorboard=False)


@dataclass(frozen=True, config=_STRICT)
class Dx2ctSettings:
    """Stage train of DX2CT, and what is saved beside the weights: everything needed to use them."""

    run: Dx2ctRun
    volume: VolumeSettings
    xray: XraySettings
    slices: SlicesSettings
    model: ModelSettings
    diffusion: DiffusionSettings
    train: OptimizerSettings


@dataclass(frozen=True, config=_STRICT)
class MeanSettings:
    """Stage train of the mean training volume."""

    run: MeanRun
    volume: VolumeSettings
    slices: SlicesSettings


@dataclass(frozen=True, config=_STRICT)
class ConsistencySettings:
    """What is done so that a volume has the X-rays that it was made from (dx2ct/samplers/consistency.py).

    iterations: of CGLS, 0 = nothing is done. weight: of the change. smooth_mm: deviation of the Gaussians that the
    change is made of. when: at every step and at the end, or at the end only.
    """

    iterations: Annotated[int, Field(ge=0)]
    weight: Fraction
    smooth_mm: NotNegative
    when: Literal["steps", "end"]


OFF = ConsistencySettings(iterations=0, weight=1.0, smooth_mm=0.0, when="end")


@dataclass(frozen=True, config=_STRICT)
class ReconstructSettings:
    """Stage reconstruct: how noise becomes a volume (see docs/sampling.md)."""

    solver: Literal["ddim", "dpm"]
    planes: Literal["alone", "together"]
    noise: Literal["image", "volume"]
    steps: PositiveInt
    eta: Fraction
    seed: Seed
    samples: PositiveInt
    batch: PositiveInt
    consistency: ConsistencySettings

    def __post_init__(self) -> None:
        if self.solver == "dpm" and self.eta:
            raise ValueError(f"reconstruct.eta {self.eta}: solver dpm adds no fresh noise, set it to 0 or take ddim")
        if self.planes == "alone" and self.consistency.when == "steps":
            raise ValueError("reconstruct.consistency.when: steps needs one volume at every step, planes: together")


@dataclass(frozen=True, config=_STRICT)
class ScoreSettings:
    """Stage score: metric definitions."""

    version: int
    data_range_hu: PositiveFloat
    lpips: bool


T = TypeVar("T")


def parse(kind: type[T], text: str) -> T:
    """Read a settings JSON string as `kind`; InputError with one line naming each bad key."""
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        raise _bad_settings(kind, error) from None


def check(kind: type[T], **values: object) -> T:
    """The same of values that are in Python already, as those of a command line."""
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise _bad_settings(kind, error) from None


def _bad_settings(kind: type, error: ValidationError) -> InputError:
    problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
    return InputError(f"settings of {kind.__name__}: {problems}")


def dump(settings: object) -> str:
    """Settings as JSON with sorted keys, ready to be saved beside a result and read again by `parse`."""
    import json

    return json.dumps(TypeAdapter(type(settings)).dump_python(settings, mode="json"), sort_keys=True, indent=2) + "\n"


def check_version(stage: str, code: int, asked: int) -> None:
    """The rules and the code must agree on a stage's data version, or a rerun would be missed."""
    if code != asked:
        raise InputError(
            f"rules/common.smk says version {asked} of stage {stage}, the code is version {code}: update it"
        )
