"""What the jobs of the section style read, and what they are told."""

from pathlib import Path

from dx2ct import layout
from dx2ct.config import plain, to_json, tracked
from dx2ct.config.style import FilmSource, FilmsSettings, StyleRunSettings
from dx2ct.layout import DATA
from dx2ct.planning.jobs import Jobs
from dx2ct.planning.runs import NOTHING


class StyleJobs(Jobs):
    """Films, trainings and translations; a view is one job of each."""

    @property
    def style_views(self) -> str:
        """The views that have a style, as a wildcard's pattern."""
        return "|".join(self.config.style.views) if self.config.style.films else NOTHING

    def film_settings(self, view: str) -> str:
        """What decides the films of a view as networks see them."""
        style = self.config.style
        sources = tuple(source for source in self._film_sources() if getattr(source, "view", view) == view)
        xray = self.config.xray.only([view])
        return to_json(
            tracked(FilmsSettings(view, sources, style.pixels, style.limit, style.held_out, xray, style.version))
        )

    def film_stamps(self) -> str:
        """Changes when a table of films, or what lies directly in a folder of them, does.

        PadChest has 160,861 files: they are no inputs, and not looked at one by one.
        """
        return to_json([_stamps(Path(source.path)) for source in self._film_sources()])

    def style_settings(self, view: str) -> str:
        """Everything that decides the weights of a view's style but its scans and films."""
        style, xray = self.config.style, self.config.xray.only([view])
        settings = StyleRunSettings(view, style.pixels, style.model, style.train, self.config.volume, xray)
        return to_json(tracked(settings))

    def style_inputs(self, view: str) -> list[str]:
        """The X-rays that a style is trained on and, where it makes changed copies, their volumes."""
        scans = self.usable("train")
        volumes = scans if self.config.style.train.copies else []
        return self.xrays(scans, [view]) + [str(layout.volume(DATA, scan)) for scan in volumes]

    def gap_scans(self) -> list[str]:
        """Scans that a style was not trained on."""
        return self.usable("val", "test")

    @property
    def styled_runs(self) -> list[str]:
        """Runs of the report that reconstruct the first test scan from translated X-rays."""
        return [run for run in self.report if self.is_styled(run) and self.tests[:1] == self.tests_of(run)[:1]]

    def figure4_volumes(self) -> list[str]:
        """What they make of it."""
        return self.reconstructions(self.styled_runs, self.tests[:1])

    def figure4_xrays(self) -> list[str]:
        """What they make it of."""
        found = [path for run in self.styled_runs for scan in self.tests[:1] for path in self.seen_xrays(run, scan)]
        return list(dict.fromkeys(found))

    def _film_sources(self) -> list[FilmSource]:
        """With the folders and tables where they lie."""
        found = []
        for source in self.config.style.films:
            values = plain(source)
            for name in ("path", "table"):
                if values.get(name):
                    values[name] = self.found(values[name])
            found.append(type(source)(**values))
        return found


def _stamps(folder: Path) -> object:
    """Size and time of a folder and of what lies in it."""
    if not folder.is_dir():
        return "gone"
    stats = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
