"""Models by name: the trained networks that come with the project."""

from pathlib import Path

from drr.errors import InputError
from dx2ct import layout

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DEFAULT = "chest"
NAMED = {
    "chest": (EXAMPLES / "chest_model", "lift, of phantoms and six chest CTs, 64 cubed"),
    "phantom": (EXAMPLES / "phantom_model", "DX2CT, of phantoms alone, 48 cubed"),
}


def model_folder(model: str | Path) -> Path:
    """The folder of a model: a path as it is, or a name of NAMED where no such folder lies here.

    Raises InputError for a name whose model is not installed.
    """
    folder = Path(model)
    if str(model) not in NAMED or folder.exists():
        return folder
    found = NAMED[str(model)][0]
    if not layout.settings(found).is_file():
        raise InputError(f"model {model}: {found} is not there: a clone of the project has it; or name a run's folder")
    return found
