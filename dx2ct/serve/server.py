"""dx2ct serve: the process that answers requests, with the worker beside it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from drr.errors import InputError
from drr.progress import say
from dx2ct import layout
from dx2ct.serve.app import make_app, Server
from dx2ct.serve.guard import Door, is_loopback
from dx2ct.serve.line import Line
from dx2ct.serve.process import DiedError, Worker
from dx2ct.serve.sessions import Sessions

OWN_MB = 256  # of this process, beside the worker's
LEAST_MB = 1536  # that the worker needs to load a small model and read a film
_AT_ONCE = 64  # connections
_OFTEN_S = 10.0


def serve(
    model: Path,
    for_films: Path | None,
    host: str,
    port: int,
    token: str | None,
    keep_minutes: float,
    max_memory_mb: int,
    device: str,
    threads: int,
) -> None:
    """Answer on host:port until Ctrl-C. for_films: the model that films go to, where it is another.

    max_memory_mb: of both processes; 0: no bound.

    Raises InputError for what must not be, and for a model that cannot be loaded.
    """
    require(model, host, token, max_memory_mb)
    share = _share(max_memory_mb)
    worker = Worker(
        {"model": model, "for_films": for_films, "device": device, "threads": threads, "max_memory_mb": share}
    )
    line = Line(worker)
    sessions = Sessions(line, keep_minutes)
    worker.setup = {**worker.setup, "folder": sessions.folder}
    server = Server(line, sessions, keep_minutes)
    faults: list[str] = []

    def failed(line: str) -> None:
        faults.append(line)
        runner.should_exit = True

    app = make_app(server, Door(host, token), lambda: working(server, worker, failed))
    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, server_header=False,
        limit_concurrency=_AT_ONCE, timeout_keep_alive=5, timeout_graceful_shutdown=3,
    )  # fmt: skip
    runner = uvicorn.Server(config)
    shown = f"[{host}]" if ":" in host else host
    say(f"http://{shown}:{port}/" + (f"?token={token}" if token else "") + "  (Ctrl-C ends it)")
    try:
        runner.run()
    except SystemExit:
        raise InputError(f"--port {port}: nothing can listen there, another program does: choose another") from None
    finally:
        worker.close()
        sessions.end()
    if faults:
        raise InputError(faults[0])


def require(model: Path, host: str, token: str | None, max_memory_mb: int) -> None:
    """InputError for what is refused before anything listens."""
    if not is_loopback(host) and not token:
        raise InputError(f"--host {host}: others can reach it: give --token as well, or leave --host out")
    if token is not None and len(token) < 16:
        raise InputError("--token: give 16 characters at least, for example of `openssl rand -hex 16`")
    if not layout.settings(model).is_file():
        raise InputError(f"{layout.settings(model)}: no trained run here: name the folder of a finished one")
    if 0 < max_memory_mb < LEAST_MB:
        raise InputError(f"--max-memory {max_memory_mb}: MB, {LEAST_MB} at least, or 0 for no bound")


def _share(max_memory_mb: int) -> int:
    return max_memory_mb - OWN_MB if max_memory_mb else 0


@asynccontextmanager
async def working(server: Server, worker: Worker, failed: Callable[[str], object]) -> AsyncIterator[None]:
    """Load the model and do tasks while the block lasts. failed: hears why the model cannot be loaded."""
    work = [asyncio.create_task(_work(server, worker, failed)), asyncio.create_task(_housekeep(server))]
    try:
        yield
    finally:
        for task in work:
            task.cancel()
        for task in work:
            with suppress(asyncio.CancelledError):
                await task
        worker.close()


async def _work(server: Server, worker: Worker, failed: Callable[[str], object]) -> None:
    loop = asyncio.get_running_loop()

    def loaded(about: Mapping[str, Any]) -> None:
        loop.call_soon_threadsafe(setattr, server, "about", about)

    worker.told = loaded
    try:
        await asyncio.to_thread(worker.start)
    except DiedError as error:
        failed(str(error))
        return
    await server.line.serve()


async def _housekeep(server: Server) -> None:
    while True:
        await asyncio.sleep(_OFTEN_S)
        server.sessions.expire()
