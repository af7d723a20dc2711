"""Films: uploaded, framed, looked at."""

from pathlib import Path
import secrets
import shutil
from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from dx2ct.serve.api import FilmOut, FramingIn
from dx2ct.serve.routes.shared import Mine, png, REFUSALS, Served
from dx2ct.serve.sessions import Film, label_of, require_view, Session
from dx2ct.serve.task import Task
from dx2ct.serve.uploads import FILM_BYTES, save

PICTURES = ("whole", "seen")
router = APIRouter(tags=["films"], prefix="/sessions/{session}", responses=REFUSALS)


@router.put("/films/{view}")
async def put_film(request: Request, server: Served, mine: Mine, view: str, name: str = "") -> FilmOut:
    """Upload a film as the body: PNG, JPEG, TIFF, DICOM, or .mha line integrals. name: to show, nothing else."""
    require_view(view, server.about["views"])
    path = await save(request.stream(), mine.folder, view, FILM_BYTES, "film")
    return await _previewed(server, mine, view, Film(path, label_of(name), FramingIn().model_dump()))


@router.put("/films/{view}/framing")
async def put_framing(server: Served, mine: Mine, view: str, framing: FramingIn) -> FilmOut:
    """Frame it otherwise; a framing that cannot be leaves the one before."""
    now = mine.films[view]
    return await _previewed(server, mine, view, Film(now.path, now.label, framing.model_dump(), now.number + 1))


@router.delete("/films/{view}", status_code=204)
async def delete_film(mine: Mine, view: str) -> None:
    """Take it out."""
    _delete(mine.films.pop(view))


@router.post("/examples")
async def use_examples(server: Served, mine: Mine) -> list[FilmOut]:
    """The model's example X-rays, in place of the session's films."""
    found = []
    for view, path in server.about["examples"].items():
        copy = mine.folder / f"{view}-{secrets.token_hex(4)}.mha"
        shutil.copyfile(path, copy)
        film = Film(copy, f"example, {view}", FramingIn().model_dump())
        found.append(await _previewed(server, mine, view, film))
    return found


@router.get("/films/{view}/{picture}.png", response_class=Response)
async def get_picture(mine: Mine, view: str, picture: Literal["whole", "seen"]) -> Response:
    """whole: as the file is; seen: as the network will see it."""
    return png(mine.films[view].picture(picture))


async def _previewed(server: Any, mine: Session, view: str, film: Film) -> FilmOut:
    pictures = {name: str(film.picture(name)) for name in PICTURES}
    arguments = {"view": view, "path": str(film.path), "framing": film.framing, **pictures}
    before = mine.films.get(view)
    try:
        film.facts = dict(await server.line.submit(Task("preview", arguments)).answer())
    except BaseException:
        if before is None or before.path != film.path:
            film.path.unlink(missing_ok=True)
        raise
    if mine.is_closed:
        raise KeyError(view)
    mine.films[view] = film
    if before:
        _delete(before, keep=film.path)
    return FilmOut(view=view, label=film.label, number=film.number, framing=FramingIn(**film.framing), **film.facts)


def _delete(film: Film, keep: Path | None = None) -> None:
    """Its pictures, and the film itself unless it is still in use."""
    for picture in PICTURES:
        film.picture(picture).unlink(missing_ok=True)
    if film.path != keep:
        film.path.unlink(missing_ok=True)
