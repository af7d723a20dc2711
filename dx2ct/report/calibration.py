"""What the report says of a run's deviation: the figure's caption, from calibration.csv."""

from pathlib import Path

from dx2ct import layout
from dx2ct.data.tables import read_frame
from dx2ct.scoring.deviation import ONE, TWO

AGAIN = "run the calibration stage again"
_COLUMNS = (
    "scan",
    "voxels",
    "within_one",
    "within_two",
    "calibrated_one",
    "calibrated_two",
    "scale",
    "floor_hu",
    "learnt_on",
)


def caption(run: Path) -> str:
    """How many errors of the test scans the deviation covers, before and after its scale, in plain sentences.

    Empty for a run without the table; InputError for one that cannot be read.
    """
    path = layout.calibration(run)
    if not path.is_file():
        return ""
    table = read_frame(path, AGAIN, ("scan", "learnt_on"), _COLUMNS)
    shares = table[list(_COLUMNS[2:6])].mul(table["voxels"], axis=0).sum(min_count=1) / table["voxels"].sum() * 100
    normal = f"(a normal error: {100 * ONE:.0f} % and {100 * TWO:.0f} %)"
    before = (
        f"One deviation of the samples covers {shares['within_one']:.0f} % of the errors in the test scans, two cover "
        f"{shares['within_two']:.0f} % {normal}."
    )
    if table["scale"].isna().any():
        return f"{before} The deviation is not calibrated: there was no validation scan to learn its scale on."
    first = table.iloc[0]
    scans = str(first["learnt_on"]).split()
    on = "1 validation scan" if len(scans) == 1 else f"{len(scans)} validation scans"
    return (
        f"{before} Calibrated, times {first['scale']:.2f} with a floor of {first['floor_hu']:.0f} HU, one covers "
        f"{shares['calibrated_one']:.0f} %, two {shares['calibrated_two']:.0f} %. "
        f"Both numbers were learnt on {on} ({', '.join(scans)}), on no test scan."
    )
