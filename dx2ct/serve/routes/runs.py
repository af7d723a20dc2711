"""Runs: what they would cost, started, watched, cancelled, their files, and a truth to compare with."""

import os
import secrets
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from drr.errors import InputError
from dx2ct.serve.api import CostOut, require_solver, RunIn, RunOut, ScoresOut, SettingsIn
from dx2ct.serve.routes.shared import file, Mine, png, REFUSALS, Served
from dx2ct.serve.task import Task
from dx2ct.serve.uploads import save, TRUTH_BYTES

router = APIRouter(tags=["runs"], prefix="/sessions/{session}", responses=REFUSALS)
Asked = Literal[
    "ct.nii.gz", "deviation.nii.gz", "estimate.nii.gz", "truth.nii.gz", "run.json", "series.zip", "sheet.png"
]
_TELLING = 0.02  # of a run: before that nobody knows how long it will take
_EXPORTS = {"series.zip": "dicom", "sheet.png": "sheet"}


@router.post("/cost")
async def get_cost(server: Served, mine: Mine, settings: SettingsIn) -> CostOut:
    """What a run with these settings and the session's films would take."""
    _require(server, settings)
    passes = {view: _passes(film.facts["passes"], settings) for view, film in mine.films.items()}
    task = server.line.submit(Task("cost", {"asked": settings.asked(), "passes": passes}))
    return CostOut(**await task.answer())


@router.post("/runs", status_code=202)
async def start_run(server: Served, mine: Mine, settings: RunIn) -> RunOut:
    """Reconstruct the session's films."""
    _require(server, settings)
    missing = [view for view in server.about["views"] if view not in mine.films]
    if not mine.films or (missing and not server.about["any_view"]):
        raise InputError(f"no {missing[0]} X-ray: the model was trained on {' and '.join(server.about['views'])}")
    run = secrets.token_hex(8)
    named = settings.keep_names
    folder = mine.run_folder(run)
    folder.mkdir()
    files = {view: folder / f"film.{view}{film.path.suffix}" for view, film in mine.films.items()}
    for view, path in files.items():  # which another film may replace while this one waits
        os.link(mine.films[view].path, path)
    arguments = {
        "files": {view: str(path) for view, path in files.items()},
        "framing": {view: film.framing for view, film in mine.films.items()},
        "names": {view: film.label if named else f"{view}{film.path.suffix}" for view, film in mine.films.items()},
        "asked": settings.asked(),
        "passes": settings.passes,
        "folder": str(folder),
    }
    task = server.line.submit(Task("run", arguments, is_run=True))
    mine.keep(run, task, server.line)
    return _told(server, run, task)


@router.get("/runs/{run}")
async def get_run(server: Served, mine: Mine, run: str) -> RunOut:
    """Where it is."""
    return _told(server, run, mine.runs[run])


@router.delete("/runs/{run}")
async def cancel_run(server: Served, mine: Mine, run: str) -> RunOut:
    """End it; what it has not finished is lost."""
    server.line.cancel(mine.runs[run])
    return _told(server, run, mine.runs[run])


@router.get("/runs/{run}/{name}", response_class=FileResponse)
async def get_file(server: Served, mine: Mine, run: str, name: Asked) -> FileResponse:
    """A file of it. series.zip and sheet.png are made when they are asked for."""
    task, folder = mine.runs[run], mine.run_folder(run)
    if name in _EXPORTS and task.state == "done" and not (folder / name).is_file():
        await server.line.submit(Task("export", {"folder": str(folder), "kind": _EXPORTS[name]})).answer()
    return file(folder / name, f"dx2ct-{name}" if name != "run.json" else "dx2ct-ct.run.json")


@router.get("/runs/{run}/{view}/{picture}.png", response_class=Response)
async def get_picture(
    server: Served, mine: Mine, run: str, view: str, picture: Literal["film", "drr", "difference"]
) -> Response:
    """film: as the network saw it; drr: the result's X-ray in the film's grey; difference: grey where they agree."""
    if view not in server.about["views"] or run not in mine.runs:
        raise KeyError(view)
    return png(mine.run_folder(run) / f"{view}.{picture}.png")


@router.put("/truth", status_code=204)
async def put_truth(request: Request, server: Served, mine: Mine) -> None:
    """Upload a CT of the same patient as the body, NIfTI in HU."""
    path = await save(request.stream(), mine.folder, "truth", TRUTH_BYTES, "truth")
    if mine.truth:
        mine.truth.unlink(missing_ok=True)
    mine.truth = path


@router.post("/runs/{run}/scores")
async def score_run(server: Served, mine: Mine, run: str) -> ScoresOut:
    """Compare the result with the truth."""
    if mine.truth is None or mine.runs[run].state != "done":
        raise InputError("there is no truth, or no result yet: upload the CT first")
    task = Task("compare", {"truth": str(mine.truth), "folder": str(mine.run_folder(run))})
    return ScoresOut(**await server.line.submit(task).answer())


def _require(server: Any, settings: SettingsIn) -> None:
    about = server.about
    require_solver(settings, about["solvers"], about["samples"], about["most_steps"])


def _passes(usual: int, settings: SettingsIn) -> int:
    return usual if settings.passes is None or not usual else settings.passes


def _told(server: Any, run: str, task: Task) -> RunOut:
    kept = task.result.get("sampling") or server.about.get("sampling") or {}
    steps = int(task.arguments["asked"].get("steps") or kept.get("steps") or 1)
    fraction, seconds = task.fraction, task.seconds
    is_known = task.state == "running" and fraction > _TELLING
    return RunOut(
        run=run,
        state=task.state,
        before=server.line.place(task),
        fraction=fraction,
        steps_done=steps if task.state == "done" else int(task.of_sampling * steps + 1e-6),
        steps=steps,
        seconds=round(seconds, 1),
        seconds_left=round(seconds / fraction * (1 - fraction), 1) if is_known else None,
        estimate=task.estimate,
        error=task.error,
        result=dict(task.result) if task.state == "done" else None,
    )
