"""A page in the browser that does what `predict` does."""

from typing import Annotated

import typer

from drr.errors import InputError
from dx2ct.cli.options import Device, Threads
from dx2ct.predict.named import DEFAULT, FOR_FILMS, model_folder

app = typer.Typer()


@app.command()
def serve(
    model: Annotated[
        str | None,
        typer.Option(
            help="Folder of a finished run, results/RUN, or a name that `dx2ct models` lists; "
            f"without it {FOR_FILMS} for films, {DEFAULT} for line integrals (.mha)."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of this machine.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond this machine it needs --token.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option(help="Secret that every request must bring, 16 characters or more.")
    ] = None,
    keep_minutes: Annotated[
        float, typer.Option(min=1, help="After so many minutes without use films and results are deleted.")
    ] = 30,
    max_memory: Annotated[int, typer.Option(min=0, help="MB of both processes together; 0 = no bound.")] = 0,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Open a page on this machine: X-ray films in, a CT in the browser. Nothing leaves the machine (docs/serve.md)."""
    try:
        from dx2ct.serve.server import serve as serve_page
    except ModuleNotFoundError as error:
        raise InputError(f"dx2ct serve: {error.name} is not installed: pip install fastapi uvicorn") from None
    for_films = model_folder(FOR_FILMS) if model is None else None
    serve_page(model_folder(model or DEFAULT), for_films, host, port, token, keep_minutes, max_memory, device, threads)
