"""What all requests need."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.responses import FileResponse

from dx2ct.serve.api import Refusal
from dx2ct.serve.sessions import Session

REFUSALS: dict[int | str, dict[str, Any]] = {
    404: {"model": Refusal, "description": "no such thing, or not any more"},
    422: {"model": Refusal, "description": "a file or a value that cannot be used, with the reason"},
    503: {"model": Refusal, "description": "the line is full, or the model is being loaded: try again"},
}
_LOADED_S = 300.0


def server_of(request: Request) -> Any:
    """The one dx2ct.serve.app.Server."""
    return request.app.state.server


async def loaded(request: Request) -> Any:
    """The server, once its model is loaded."""
    server = server_of(request)
    async with asyncio.timeout(_LOADED_S):
        while not server.about:
            await asyncio.sleep(0.05)
    return server


def session_of(request: Request, session: str) -> Session:
    """The session of that id, which is used now."""
    found: Session = server_of(request).sessions.find(session)
    return found


Served = Annotated[Any, Depends(loaded)]
Mine = Annotated[Session, Depends(session_of)]


def png(path: Path) -> Response:
    """A small picture, read at once: what is written or deleted meanwhile does not matter."""
    try:
        return Response(path.read_bytes(), media_type="image/png")
    except FileNotFoundError:
        raise KeyError(path.name) from None


def file(path: Path, name: str | None = None) -> FileResponse:
    """A file that may be gone; name: to save it under."""
    if not path.is_file():
        raise KeyError(path.name)
    return FileResponse(path, filename=name)
