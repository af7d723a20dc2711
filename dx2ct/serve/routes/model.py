"""The model: what it is, and an X-ray of its training to compare with."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from dx2ct.serve.routes.shared import png, REFUSALS, server_of
from dx2ct.serve.sessions import require_view

router = APIRouter(tags=["model"], responses=REFUSALS)


@router.get("/model")
async def get_model(request: Request) -> dict[str, Any]:
    """What the model takes, gives and was trained on; `ready` is false while it is being loaded."""
    server = server_of(request)
    about = {name: value for name, value in server.about.items() if name != "examples"}
    return {"ready": bool(about), "keep_minutes": server.keep_minutes, **about}


@router.get("/model/examples/{view}.png", response_class=Response)
async def get_example(request: Request, view: str) -> Response:
    """An X-ray of the training, as the network sees it."""
    server = server_of(request)
    require_view(view, list(server.about.get("views", ())))
    return png(Path(server.sessions.folder) / f"example.{view}.png")
