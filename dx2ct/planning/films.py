"""Films of the patients whose CTs a cohort tests: rows of the same sheet with modality DX or CR."""

from functools import cached_property

from drr.ct.patient import patient_key
from drr.errors import InputError
from dx2ct import layout
from dx2ct.config import DerivedRow, to_json
from dx2ct.data.cohort.selection import read_rows, Row
from dx2ct.layout import RESULTS
from dx2ct.planning.runs import NOTHING
from dx2ct.planning.style import StyleJobs


class Films(StyleJobs):
    """Series of films that runs are tried on, and what their jobs read."""

    @cached_property
    def film_rows(self) -> dict[str, Row]:
        """By name, in the sheet's order: those of patients with a usable CT in split test, and in no other part."""
        tested = {patient_key(self.cohort[scan]["patient"]) for scan in self.usable("test")}
        tested -= {patient_key(self.cohort[scan]["patient"]) for scan in self.usable("train", "val")}
        rows = read_rows(self.sheet) if "modality" in self.source.columns else []
        return {row["scan"]: row for row in rows if row["modality"] != "CT" and patient_key(row["patient"]) in tested}

    @cached_property
    def films(self) -> dict[str, str]:
        """{series of films: CT scan}; of several CTs of a patient the first."""
        first: dict[str, str] = {}
        for scan in self.usable("test"):
            first.setdefault(patient_key(self.cohort[scan]["patient"]), scan)
        return {name: first[patient_key(row["patient"])] for name, row in self.film_rows.items()}

    def film_names(self) -> str:
        """A pattern of their names."""
        return "|".join(self.films) or NOTHING

    def film_runs(self) -> list[str]:
        """Runs of the report that can be asked: with X-rays and weights of their own, of one training."""
        rows = self.config.runs
        own = [run for run in self.report if not isinstance(rows[run], DerivedRow) and not self.has_folds(run)]
        return [run for run in own if self.resolved.method(run).looks_at_xrays]

    def film_records(self, run: str) -> list[str]:
        """How a run reconstructed them."""
        return [str(layout.film_record(layout.run(RESULTS, run), films)) for films in self.films]

    def film_scores(self) -> list[str]:
        """The scores of all runs; InputError where the cohort has no films, or the report no run for them."""
        if not self.films:
            raise InputError(f"{self.sheet}: no films (modality DX or CR) of a patient whose CT is in split test")
        if not self.film_runs():
            raise InputError("report: no run that looks at X-rays and has weights of its own: none can be given films")
        return [str(layout.run(RESULTS, run) / "films.csv") for run in self.film_runs()]

    def fetched(self, scan: str) -> str:
        """What decides the zip of a scan, or of a series of films."""
        return to_json(self.source.tracked(self.cohort.get(scan) or self.film_rows[scan]))
