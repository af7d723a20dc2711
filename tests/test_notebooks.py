"""docs/notebooks: what they hold is of their code, small and described, and running them again gives the same."""

from base64 import b64decode
import io
from pathlib import Path
import re

from nbclient.exceptions import CellExecutionError
import nbformat
import numpy as np
from PIL import Image
import pytest

from docs.notebooks.execute import code_cells, executed, NOTEBOOKS, source_digest

MOST_BYTES = 300_000
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?")
SIDE = 24  # pictures are compared on so many pixels a side: letters may be drawn otherwise elsewhere
KINDS = ("image/jpeg", "text/plain")
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def shown(cell: nbformat.NotebookNode, kind: str) -> list[str]:
    """Pictures in base64, or text, that a cell shows."""
    return [output.data[kind] for output in cell.outputs if kind in output.get("data", {})]


def printed(cell: nbformat.NotebookNode) -> str:
    """What a cell prints."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def without_numbers(text: str) -> str:
    """Columns are as wide as their numbers."""
    return " ".join(NUMBER.sub("#", text).split())


def picture(jpeg: str) -> Image.Image:
    """Grey."""
    return Image.open(io.BytesIO(b64decode(jpeg))).convert("L")


def require_same(cell: nbformat.NotebookNode, again: nbformat.NotebookNode) -> None:
    """AssertionError where another run of a cell shows something else; numbers of a cell that `varies` may differ."""
    one, other = printed(cell), printed(again)
    assert without_numbers(one) == without_numbers(other), f"{cell.id}: make notebooks"
    if "varies" not in cell.metadata.get("tags", []):
        numbers, others = (np.array(NUMBER.findall(text), float) for text in (one, other))
        np.testing.assert_allclose(others, numbers, rtol=0.03, atol=0.03, err_msg=f"{cell.id}: make notebooks")
    old, new = ([picture(jpeg) for jpeg in shown(it, "image/jpeg")] for it in (cell, again))
    assert len(old) == len(new), f"{cell.id}: make notebooks"
    for before, after in zip(old, new, strict=True):
        assert np.allclose(before.size, after.size, atol=6), f"{cell.id}: {before.size} is {after.size}"
        small = [np.asarray(one.resize((SIDE, SIDE), Image.Resampling.BOX), float) for one in (before, after)]
        assert np.abs(small[0] - small[1]).mean() < 4, f"{cell.id}: another picture, make notebooks"


def test_there_are_three() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["drrs", "films", "table"]


@each
def test_what_it_holds_is_of_its_code(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.get("source_sha256") == source_digest(notebook), "code has changed: make notebooks"
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for output in (output for cell in cells for output in cell.outputs):
        assert output.output_type in ("stream", "display_data", "execute_result"), "a cell has failed"
        assert output.get("name") != "stderr", f"a cell warns: {output.get('text')}"
        assert set(output.get("data", {})) <= set(KINDS), "a kind of output that no test compares"


@each
def test_it_is_small_described_and_names_no_machine(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES
    notebook = nbformat.read(path, as_version=4)
    pictures = [cell for cell in code_cells(notebook) if shown(cell, "image/jpeg")]
    assert pictures, "it shows nothing"
    for cell in pictures:
        assert len(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")) > 20, f"{cell.id}: no alt text"
        assert all(picture(jpeg).getextrema() != (255, 255) for jpeg in shown(cell, "image/jpeg"))
    text = "".join(printed(cell) + "".join(shown(cell, "text/plain")) for cell in code_cells(notebook))
    assert not re.search(r"/(tmp|home|root|work|Users)\b", text)
    prose = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert "not a medical device" in prose


def test_another_number_picture_or_text_is_found() -> None:
    """The comparison itself."""
    cells = code_cells(nbformat.read(NOTEBOOKS[0], as_version=4))
    cell = next(cell for cell in cells if shown(cell, "image/jpeg") and printed(cell))
    require_same(cell, cell)
    pictures = [output for output in cell.outputs if output.output_type != "stream"]
    for text in (re.sub(r"\d\d\d", "999", printed(cell)), printed(cell) + "more"):
        said = nbformat.v4.new_output("stream", text=text)
        with pytest.raises(AssertionError, match=cell.id):
            require_same(cell, nbformat.from_dict(dict(cell) | {"outputs": [said, *pictures]}))
    with pytest.raises(AssertionError, match=cell.id):
        require_same(
            cell, nbformat.from_dict(dict(cell) | {"outputs": [one for one in cell.outputs if one not in pictures]})
        )


def test_a_cell_that_fails_is_an_error(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    (tmp_path / "broken.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        executed(tmp_path / "broken.ipynb")


@pytest.mark.slow
@each
def test_it_runs_and_shows_the_same_again(path: Path) -> None:
    committed, again = nbformat.read(path, as_version=4), executed(path)
    for cell, other in zip(code_cells(committed), code_cells(again), strict=True):
        require_same(cell, other)
