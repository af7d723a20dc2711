"""Sessions: opened, closed."""

from fastapi import APIRouter, Request

from dx2ct.serve.api import SessionOut
from dx2ct.serve.routes.shared import Mine, REFUSALS, server_of

router = APIRouter(tags=["sessions"], responses=REFUSALS)


@router.post("/sessions", status_code=201)
async def open_session(request: Request) -> SessionOut:
    """A new session; whoever knows its id has all of it."""
    server = server_of(request)
    return SessionOut(session=server.sessions.new().id, keep_minutes=server.keep_minutes)


@router.delete("/sessions/{session}", status_code=204)
async def close_session(request: Request, mine: Mine) -> None:
    """Delete its films, runs and files, and end what is in progress."""
    server_of(request).sessions.close(mine)


@router.post("/sessions/{session}/close", status_code=204, include_in_schema=False)
async def leave_session(request: Request, mine: Mine) -> None:
    """The same; a page that is being closed can only post."""
    server_of(request).sessions.close(mine)
