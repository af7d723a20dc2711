"""In the worker: the CT of prepared films, its pictures and files, and what is told while it is made."""

from collections.abc import Callable, Mapping
import json
from pathlib import Path
import shutil
from typing import Any
import zipfile

import numpy as np
from numpy.typing import NDArray

from drr.progress import watched, Watcher
from drr.volume import read_volume
from dx2ct.data.dicom_write import ZIP_DATE
from dx2ct.predict.agreement import disagreement
from dx2ct.predict.answer import answer, notes_of
from dx2ct.predict.dicom_series import write_series
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import Model
from dx2ct.predict.pictures import write_sheet
from dx2ct.predict.prepared import of_one_patient
from dx2ct.serve.about import shown_name
from dx2ct.serve.films import framed, write_grey
from dx2ct.serve.notes import in_words

Tell = Callable[[dict[str, Any]], object]
_SEEN = "seen.npz"
_GREATEST = 0.25  # of a film's range: what the difference shows in full colour


def reconstruct(
    model: Model,
    files: Mapping[str, Path],
    framing: Mapping[str, Framing],
    names: Mapping[str, str],
    asked: Mapping[str, Any],
    passes: int | None,
    folder: Path,
    tell: Tell,
) -> dict[str, Any]:
    """Write ct.nii.gz, run.json, estimate.nii.gz while it is made, and pictures into a folder; what a page shows.

    files: by view. names: what run.json calls them. asked, passes: as of `predict`. Raises InputError.
    """
    xrays = of_one_patient({view: framed(model, view, path, framing[view]) for view, path in files.items()})
    grid, shown = model.trained.inputs.views.grid, 0

    def show(hu: NDArray[np.float32]) -> None:
        nonlocal shown
        shown += 1
        grid.volume(np.rint(hu).astype(np.int16)).write(folder / "estimate.nii.gz")
        tell({"estimate": shown})

    def moved(what: str, done: float, total: float | None) -> None:
        tell({"what": what, "done": done, "total": total})

    with watched(Watcher(moved, show)):
        found = answer(model, files, framing, xrays, asked, lambda text: None, passes)
    found.volume.write(folder / "ct.nii.gz")
    if found.deviation is not None:
        found.deviation.write(folder / "deviation.nii.gz")
    (folder / "run.json").write_text(_renamed(found.record, names))
    seen = dict(zip(xrays, model.seen(xrays), strict=True))
    np.savez(folder / _SEEN, **seen)
    _pictures(model.xrays_of(found.volume, xrays), seen, folder)
    record = json.loads(found.record)
    doubts = [in_words(text) for text in disagreement(model.agreement, found.unexplained)]
    return {
        "model": shown_name(model),
        "seconds": record["seconds"],
        "notes": [
            in_words(text)
            for text in found.notes
            if text not in notes_of(model, xrays) and in_words(text) not in doubts
        ],
        "doubts": doubts,
        "unexplained": dict(found.unexplained),
        "views": list(files),
        "has_deviation": found.deviation is not None,
        "deviation_is_calibrated": record.get("deviation", {}).get("calibrated"),
        "sampling": record["sampling"] if model.trained.inputs.samples else None,
        "passes": record["passes"],
    }


def export(folder: Path, kind: str) -> dict[str, Any]:
    """Write what is only made when somebody asks for it: `dicom`, series.zip, or `sheet`, sheet.png."""
    volume = read_volume(folder / "ct.nii.gz")
    if kind == "sheet":
        with np.load(folder / _SEEN, allow_pickle=False) as seen:
            write_sheet(volume, dict(seen), folder / "sheet.png")
        return {}
    series = folder / "series"
    write_series(volume, series)
    with zipfile.ZipFile(folder / "series.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(series.iterdir()):
            archive.writestr(zipfile.ZipInfo(f"series/{path.name}", ZIP_DATE), path.read_bytes())
    shutil.rmtree(series)
    return {}


def _pictures(rendered: Mapping[str, NDArray[Any]], seen: Mapping[str, NDArray[Any]], folder: Path) -> None:
    """Of each view the film as it was seen, the result's X-ray in the film's grey (least squares), their difference."""
    for view, film in seen.items():
        write_grey(film, folder / f"{view}.film.png")
        if view in rendered:
            slope, offset = np.polyfit(rendered[view].ravel(), film.ravel(), 1)
            answer = slope * rendered[view] + offset
            write_grey(answer, folder / f"{view}.drr.png")
            write_grey(0.5 + (answer - film) / (2 * _GREATEST), folder / f"{view}.difference.png")


def _renamed(record: str, names: Mapping[str, str]) -> str:
    """The record with files called by `names` instead of where the server has laid them."""
    found = json.loads(record)
    for view, name in names.items():
        found["inputs"][view]["file"] = name
    return json.dumps(found, indent=2) + "\n"
