"""Runs for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from drr.errors import InputError

app = typer.Typer()


@app.command()
def export(
    run: Annotated[str, typer.Argument(help="Folder of a finished run of lift, or a model's name.")],
    monai: Annotated[Path | None, typer.Option(help="New folder for a MONAI bundle, which needs dx2ct to run.")] = None,
    onnx: Annotated[Path | None, typer.Option(help="FILE.onnx, for any program that runs ONNX.")] = None,
    program: Annotated[Path | None, typer.Option(help="FILE.pt2, for torch.export.load.")] = None,
) -> None:
    """Write a run for other programs; several at once may be asked for."""
    from dx2ct.exchange.bundle import write_bundle
    from dx2ct.exchange.graph import write_onnx, write_program
    from dx2ct.predict.named import model_folder

    asked = [(monai, write_bundle), (onnx, write_onnx), (program, write_program)]
    if all(output is None for output, _ in asked):
        raise InputError("export: say what to write: --monai FOLDER, --onnx FILE.onnx or --program FILE.pt2")
    for output, write in asked:
        if output is not None:
            write(model_folder(run), output)
            print(f"wrote {output}")
