"""How a run samples: what its folder says, what is asked, and whether the two and the X-rays fit together."""

from dataclasses import replace
import json
from pathlib import Path

from drr.errors import InputError
from drr.files import replacing
from dx2ct import layout
from dx2ct.config import ConsistencySettings, parse, plain, RunSettings, SamplingOptions
from dx2ct.config.parse import checked


def sampling(consistency: object = None, base: SamplingOptions | None = None, **options: object) -> SamplingOptions:
    """How to sample: keys of the section reconstruct, over those of `base` or the paper's (docs/sampling.md).

    consistency: iterations, of line integrals; after every step too where the planes advance together.
    """
    values = (plain(base) if base else {}) | options
    together = values.get("planes") == "together"
    found = dict(values.get("consistency", {}))
    if consistency is not None:
        found |= {"iterations": consistency, "when": "steps" if together else "end"}
    elif not together:
        found |= {"when": "end"}
    return checked(SamplingOptions, values | {"consistency": found})


def keep_sampling(options: SamplingOptions, run: Path) -> None:
    """Write how the run is reconstructed into its folder."""
    with replacing(layout.sampling(run)) as part:
        part.write_text(json.dumps(plain(options), indent=2, sort_keys=True) + "\n")


def kept_sampling(run: Path) -> SamplingOptions | None:
    """How the run was last reconstructed; None for one that never was. InputError for a damaged file."""
    path = layout.sampling(run)
    try:
        return parse(SamplingOptions, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, InputError) as error:
        raise InputError(f"{path}: {error}: delete it, or reconstruct a scan again") from None


def require_steps(options: SamplingOptions, settings: RunSettings) -> None:
    """InputError for more steps than the model was trained with: some would be done twice."""
    most = getattr(getattr(settings, "diffusion", None), "timesteps", None)
    if most is not None and options.steps > most:
        raise InputError(f"steps {options.steps}: the model was trained with {most} time steps, take no more")


def without_consistency(options: SamplingOptions) -> SamplingOptions:
    """The same for X-rays without line integrals."""
    return replace(options, consistency=ConsistencySettings())


def in_words(options: SamplingOptions, kept: SamplingOptions | None) -> str:
    """One line for people, which also says where it comes from."""
    some = options.consistency.iterations
    agreement = f"consistency of {some} iterations" if some else "no consistency"
    steps = f"{options.solver}, {options.steps} steps, planes {options.planes}, {agreement}"
    if kept is None:
        return f"samples with {steps}; how the run itself samples its folder does not say (no sampling.json)"
    return f"samples with {steps}" + ("; the run itself does so" if options == kept else "; the run itself otherwise")
