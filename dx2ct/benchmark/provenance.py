"""What stands beside a run's numbers: who made it, of which X-rays, trained on what, at which cost."""

import json
from pathlib import Path

from pydantic.dataclasses import dataclass

from drr.errors import InputError
from drr.files import replacing
from dx2ct.config import plain
from dx2ct.config.keys import key, needed, NotNegative, STRICT
from dx2ct.config.parse import parse

NEEDED = ("by", "trained_on", "views")


@dataclass(frozen=True, config=STRICT)
class Provenance:
    """Of one run."""

    run: str = needed("Its name in the table")
    by: str = key("", "Who made it")
    views: str = key("", "The X-rays that it sees, as pa+lateral; none")
    trained_on: str = key("", "What its weights were trained on")
    gpu_s: NotNegative | None = key(None, "GPU seconds of one training", unit="s")
    link: str = key("", "Where its code, paper and volumes are")
    dx2ct: str = key("", "The version that scored it")


def write_provenance(provenance: Provenance, output: Path) -> None:
    """Write NAME.json."""
    with replacing(output) as part:
        part.write_text(json.dumps(plain(provenance), indent=2) + "\n", encoding="utf-8")


def read_provenance(path: Path) -> Provenance:
    """NAME.json of a submission; InputError where it is of another run or leaves out what a row must say."""
    try:
        found: Provenance = parse(Provenance, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}): submit NAME.json beside NAME.csv") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if found.run != path.stem:
        raise InputError(f"{path}: is of run {found.run}: name the file after its run")
    if empty := [name for name in NEEDED if not getattr(found, name)]:
        raise InputError(f"{path}: {', '.join(empty)}: empty: say it")
    return found
