"""What comes of every fault: python -m tests.dx2ct.data.lidc.fault_table [FOLDER]

FOLDER: real scans as in DX2CT_REAL_DATA; without it a small series is made up. Prints fault, requests, seconds, exit
code and final state; the exit code of the table itself is 1 when one of them is not what it must be.
"""

from pathlib import Path
import sys
import tempfile
import time

from tests.dx2ct.data.lidc.archive import archive, Served
from tests.dx2ct.data.lidc.faults import Case, CASES
from tests.dx2ct.data.lidc.harness import call, holds, holds_nothing, manifest, Outcome, real, source, synthetic


def meet(case: Case, series: Served, folder: Path) -> tuple[Outcome, int]:
    """Download while the fault happens; the outcome, and how many requests it took."""
    table = manifest(folder / "manifest.tsv", series)
    with archive(series, fault=case.fault) as server:
        # short only where it matters: the machine may be busy
        patience_s = 10 if not case.stalls else 1 if case.verified else 0.3
        output, sources = folder / "raw/scan.zip", [source(case.kind, server.url)]
        outcome = call(series, table, output, sources, read_timeout_s=patience_s, connect_timeout_s=patience_s)
        return outcome, len(server.asked)


def state(outcome: Outcome, series: Served) -> str:
    """The final state in words."""
    if holds(outcome, series):
        return "verified series"
    if not holds_nothing(outcome, series):
        return f"NEITHER NOR: {outcome.files}"
    staged = sum(name.endswith(".dcm") for name in outcome.files)
    return f"no file ({staged} verified files wait for the next call)" if staged else "no file"


def main(series: Served, folder: Path) -> int:
    wrong = 0
    print(f"{len(CASES)} faults, {len(series.files)} files of {series.size / 1e6:.2f} MB")
    print("source  fault                                                        requests  seconds  exit  outcome")
    for number, case in enumerate(CASES):
        start = time.perf_counter()
        outcome, requests = meet(case, series, folder / str(number))
        seconds = time.perf_counter() - start
        found = state(outcome, series)
        good = found.startswith("verified" if case.verified else "no file") and case.needs in outcome.error
        wrong += not good
        mark = "" if good else f"   WRONG: {outcome.error}"
        print(f"{case.kind:6}  {case.name:60} {requests:8} {seconds:8.2f} {outcome.code:5}  {found}{mark}", flush=True)
    print(f"{wrong} wrong")
    return wrong


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        served = real(Path(sys.argv[1])) if len(sys.argv) > 1 else synthetic(folder / "series")
        sys.exit(1 if main(served, folder) else 0)
