"""Runs the notebooks of this folder and writes into them what they show: `make notebooks`, or of some

    python -m docs.notebooks.execute [docs/notebooks/NAME.ipynb ...]

Half a minute of CPU time each, without a network. Pictures are kept small, and nothing of the machine is written.
"""

import argparse
from base64 import b64decode, b64encode
import hashlib
import io
import os
from pathlib import Path
import tempfile

from nbclient import NotebookClient
import nbformat
from PIL import Image

from drr.files import replacing

FOLDER = Path(__file__).parent
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
QUALITY = 70  # of JPEG, which takes less than half of a PNG with a palette
_TIMEOUT_S = 900
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of this interpreter; CellExecutionError where a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=_TIMEOUT_S,
        startup_timeout=_TIMEOUT_S,
        kernel_name="python3",  # of the interpreter that runs this
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    with tempfile.TemporaryDirectory() as folder:
        manager = client.create_kernel_manager()
        manager.transport, manager.ip = "ipc", f"{folder}/kernel"  # sockets are files: no port is opened
        client.execute(env=_environment())
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if png := output.get("data", {}).pop("image/png", None):
                output.data["image/jpeg"] = as_jpeg(png)
    notebook.metadata = nbformat.from_dict(_METADATA | {"source_sha256": source_digest(notebook)})
    return notebook


def _environment() -> dict[str, str]:
    """This project is imported, by one thread: sums are rounded alike, and a busy machine does not wait for itself."""
    path = os.pathsep.join([str(FOLDER.parents[1]), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells that run, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def source_digest(notebook: nbformat.NotebookNode) -> str:
    """Of the code alone: prose may change without a new run."""
    return hashlib.sha256("\0".join(cell.source for cell in code_cells(notebook)).encode()).hexdigest()


def as_jpeg(png: str) -> str:
    """A PNG in base64 as a JPEG in base64."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(b64decode(png))).convert("RGB").save(buffer, "jpeg", quality=QUALITY, optimize=True)
    return b64encode(buffer.getvalue()).decode()


def main() -> None:
    """Write every notebook that is asked for, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("notebooks", type=Path, nargs="*", default=NOTEBOOKS)
    for path in parser.parse_args().notebooks:
        with replacing(path) as part:
            part.write_text(nbformat.writes(executed(path), version=4) + "\n", encoding="utf-8")
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
