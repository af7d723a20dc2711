"""The HTTP API and the page's files. A request waits for the worker where a second is enough; a run is asked after."""

from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from drr.errors import InputError
from dx2ct.serve.guard import Door, Guard
from dx2ct.serve.line import FullError, Line
from dx2ct.serve.routes import films, model, runs, sessions
from dx2ct.serve.sessions import Sessions
from dx2ct.serve.uploads import TooLargeError

PAGE = Path(__file__).with_name("page")
NIIVUE = Path(__file__).parents[1] / "report/vendor/niivue.umd.js"
_TEXT = """Two X-rays in, a CT out, as the page does it. Research use only, not a medical device.

1. `POST /api/sessions` gives a session. 2. `PUT .../films/VIEW` with the file as body, `.../films/VIEW/framing` puts it
right. 3. `POST .../runs` starts. 4. `GET .../runs/RUN` until its state is `done`. 5. `GET .../runs/RUN/ct.nii.gz`."""


class Server:
    """What requests share. about: what the worker says of its model, nothing until it is loaded."""

    def __init__(self, line: Line, sessions: Sessions, keep_minutes: float) -> None:
        self.line, self.sessions, self.keep_minutes = line, sessions, keep_minutes
        self.about: Mapping[str, Any] = {}


def make_app(server: Server, door: Door, background: Callable[[], Any]) -> FastAPI:
    """The application. background: a coroutine function that runs beside it, as long as it does."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> Any:
        async with background():
            yield
        server.sessions.end()

    app = FastAPI(
        title="DX2CT", version="1", description=_TEXT, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", lifespan=lifespan,
    )  # fmt: skip
    app.state.server = server
    for part in (model, sessions, films, runs):
        app.include_router(part.router, prefix="/api")
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, _told(status))
    app.add_api_route("/", lambda: FileResponse(PAGE / "index.html"), include_in_schema=False)
    app.add_api_route("/api", lambda: FileResponse(PAGE / "api.html"), include_in_schema=False)
    app.add_api_route("/page/niivue.umd.js", lambda: FileResponse(NIIVUE), include_in_schema=False)
    app.mount("/page", StaticFiles(directory=PAGE))
    app.add_middleware(Guard, door=door)
    return app


_STATUS: dict[type[Exception], int] = {
    InputError: 422,
    RequestValidationError: 422,
    TooLargeError: 413,
    FullError: 503,
    KeyError: 404,
    RuntimeError: 500,
    OSError: 507,
}


def _told(status: int) -> Callable[[Request, Any], JSONResponse]:
    def answer(request: Request, error: Exception) -> JSONResponse:
        headers = {"retry-after": "1"} if status == 503 else {}
        return JSONResponse({"detail": _line(error)}, status, headers)

    return answer


def _line(error: Exception) -> str:
    if isinstance(error, RequestValidationError):
        return "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()[:3])
    if isinstance(error, KeyError):
        return "it is not here, or not any more: what is not used is deleted after a while; open the page again"
    if isinstance(error, OSError):
        return f"it cannot be kept on this machine ({error.strerror or type(error).__name__}): free some space"
    return str(error)
