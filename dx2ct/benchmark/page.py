"""The page of a ranking: one self-contained HTML file."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure
import pandas as pd

from drr.files import replacing
from dx2ct.benchmark.provenance import Provenance
from dx2ct.benchmark.tables import against, ranking
from dx2ct.figures.grid import error_figure, grid_figure
from dx2ct.figures.spread import spread_figure
from dx2ct.report.pictures import DPI, ranked, volumes_of
from dx2ct.report.provenance import today, versions
from dx2ct.report.templating import environment


def write_page(
    rows: pd.DataFrame,
    run: str,
    provenance: Mapping[str, Provenance],
    output: Path,
    folders: Sequence[Path] = (),
    data: Path | None = None,
    is_phantom: bool = True,
) -> None:
    """Write the page of a ranking that sets `run` against the others.

    folders: runs whose volumes are shown, of the scan of median PSNR; data: the folder of its truth.
    """
    psnr = {str(name): part.groupby("scan")["psnr_db"].mean() for name, part in rows.groupby("run")}
    page = (
        environment(is_html=True)
        .get_template("benchmark.html.j2")
        .render(
            date=today(),
            run=run,
            is_phantom=is_phantom,
            ranking=ranking(rows, provenance),
            against=against(rows, run),
            scans=rows["scan"].nunique(),
            provenance=[one for one in provenance.values() if one.run in psnr],
            spread=_png(spread_figure(psnr, [run])),
            pictures=_pictures(folders, data) if data and folders else [],
            versions=versions(),
        )
    )
    with replacing(output) as part:
        part.write_text(page, encoding="utf-8")


def _pictures(folders: Sequence[Path], data: Path) -> list[tuple[str, str]]:
    """(words, PNG) of the scan that is in the middle by PSNR."""
    order = ranked(folders)
    middle = order[len(order) // 2]
    truth, volumes = volumes_of(middle, folders, data)
    return [
        (
            f"{middle}, the scan of median PSNR: middle slices of the CT and of the volumes.",
            _png(grid_figure(middle, truth, volumes)),
        ),
        ("Volume minus CT: red is too dense, blue not dense enough.", _png(error_figure(middle, truth, volumes))),
    ]


def _png(figure: Figure) -> str:
    """In base64."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=DPI["png"])
    return b64encode(file.getvalue()).decode("ascii")
