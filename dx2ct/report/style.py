"""Pictures of styles: what one makes of X-rays and films, and figure 4 of the paper."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg

from drr.errors import InputError
from drr.files import replacing
from dx2ct import layout
from dx2ct.data.scans import read_styled
from dx2ct.figures.style import film_figure, style_figure
from dx2ct.report.pictures import save, volumes_of
from dx2ct.style.examples import read_films, Synthetic
from dx2ct.style.run import Style

ROWS = 6


def write_film_figure(scan: str, runs: Sequence[Path], styles: Path, data: Path, output: Path) -> None:
    """Write OUTPUT.png and .pdf: the scan's X-rays in the style of films, and the volumes that runs made of them.

    The CT of the scan stands beside them, which the paper's figure of real films cannot have.
    """
    views = [path.name for path in sorted(styles.iterdir(), reverse=True) if layout.styled(path, scan).is_file()]
    if not views:
        raise InputError(f"{styles}: no X-ray of {scan} in the style of films: run the style-transfer stage")
    truth, volumes = volumes_of(scan, runs, data)
    figure = film_figure(scan, read_styled(styles, scan, views), volumes | {"CT": truth})
    save(figure, output.parent, output.name)


def write_examples(style: Style, scans: Sequence[str], data: Path) -> None:
    """STYLE/examples.png: X-rays of the first scans, and films, those held out first. It shows films of patients."""
    settings = style.settings
    films = read_films(data, settings.view, settings.pixels)
    rows = (films.parts["held_out"] + films.parts["train"])[:ROWS]
    source = Synthetic(settings, scans[:ROWS], data)
    lines = []
    for scan, row in zip(range(len(source.scans)), rows, strict=False):
        xray, film = source.get(scan, 0), films.get(row)
        made, translated = style.to_film(xray), style.to_synthetic(film)
        lines.append((xray, made, style.to_synthetic(made), film, translated, style.to_film(translated)))
    caption = f"{settings.view}: {style.films.trained} films. Research use only. A style may invent and hide findings."
    figure = style_figure(lines, settings.view, caption)
    with replacing(layout.examples(style.folder)) as part:
        FigureCanvasAgg(figure).print_figure(str(part), dpi=110, format="png")
