"""Every stage under every fault of the machine: python -m tests.stage_faults FOLDER > table.json

The stages are run once for good, so that all is imported and each finds the outputs of those before it. Each cell of
the table is then a copy of this process (fork) with one fault: of the disk, of memory, of an input or of the target.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
import json
import os
from pathlib import Path
import resource
import subprocess
import sys

import numpy as np

from drr.volume import Volume
from dx2ct.config import plain, RunSettings, SlicesSettings, to_json
from dx2ct.methods.saved import to_text
from tests import film_stages
from tests.fabricate import cohort, options, random_run, tiny
from tests.fabricate.settings import smoke, xray_settings

NOBODY = 65534  # whom permissions bind; root they do not
LOOK = "--sheet {good}/data/sheet.tsv --data {good}/data"
LEARN = f"{LOOK} --threads 1 --device cpu -o {{out}}/run"
FAULTS = ("file too large", "disk full", "memory", "vanished", "unreadable", "read-only")


@dataclass(frozen=True)
class Stage:
    """A command line; {good} and {out} are folders. input: what it reads, below {good}.

    limit: bytes of a file that are too few for what it writes.
    """

    words: list[str]
    input: str
    program: str = "dx2ct"
    limit: int = 100


@dataclass(frozen=True)
class Cell:
    """What came of a stage under a fault. files: of the target's folder, by name with their sizes."""

    code: int
    stderr: str
    files: dict[str, int]


def stages() -> dict[str, Stage]:
    """In the order in which they need each other."""
    config = smoke().config
    volume, stack = "data/volumes/scan-3.mha", "data/slices/scan-0/axial.npy"
    pa, lateral = "data/xrays/scan-3/pa.mha", "data/xrays/scan-3/lateral.mha"
    model, trained, copies = (f"{{good}}/results/{run}" for run in ("model", "trained", "copies"))
    volume_1 = "data/volumes/scan-1.mha"  # of a training scan
    return {
        "render": Stage(split("render {good}/ct.mha -o {out}/drr --threads 1"), "ct.mha", "drr"),
        "select": Stage(
            split("select {good}/data/sheet.tsv -o {out}/cohort.tsv --left-out {out}/left_out.tsv", split=None),
            "data/sheet.tsv",
        ),
        "volume": Stage(split("volume {good}/ct.mha -o {out}/ct.mha", settings=config.volume), "ct.mha"),
        "xray": Stage(split(f"xray {{good}}/{volume} --threads 1 -o {{out}}/xrays", settings=xray_settings()), volume),
        "slices": Stage(split(f"slices {{good}}/{volume} -o {{out}}/slices", settings=SlicesSettings(32)), volume),
        "quality": Stage(split("quality scan-3 {good}/ct.mha --data {good}/data -o {out}/quality.json"), volume),
        "train mean": Stage(split(f"train {LEARN}", settings=tiny("mean")), stack, limit=300),
        "train": Stage(split(f"train {LEARN}", settings=tiny()), stack, limit=300),
        "examples": Stage(split(f"examples {LOOK} -o {{out}}/examples.png", settings=tiny()), stack),
        "agreement": Stage(
            split(f"agreement --run {copies} {LOOK} --threads 1 --device cpu -o {{out}}/agreement.json"), volume_1
        ),
        "reconstruct": Stage(
            split(
                "reconstruct scan-3 --run {out}/model --data {good}/data --device cpu --threads 1", settings=options()
            ),
            pa,
        ),
        "predict": Stage(
            split(f"predict --model {{good}}/results/model --pa {{good}}/{pa} --lateral {{good}}/{lateral}")
            + split("--steps 2 --device cpu --threads 1 -o {out}/ct.nii.gz"),
            pa,
        ),
        "publish": Stage(split(f"publish {trained} -o {{out}}/published"), "results/trained/weights.safetensors"),
        "score-run": Stage(
            split(f"score-run --run {model} {LOOK} --threads 1 -o {{out}}/scores.csv", settings=config.score),
            "results/model/volumes/scan-3.nii.gz",
        ),
        "metrics": Stage(
            split(f"metrics {model} -o {{out}}/metrics.csv --comparisons {{out}}/comparisons.csv"),
            "results/model/scores.csv",
        ),
        "tables": Stage(
            split(f"tables {model} --metrics {{good}}/results/metrics.csv -o {{out}}/tables"),
            "results/model/nodules.csv",
        ),
        "figures": Stage(split(f"figures {model} {LOOK} -o {{out}}/figures"), "results/model/slices.csv"),
        "report": Stage(
            split(f"report {model} {LOOK} --metrics {{good}}/results/metrics.csv --tables {{good}}/results/tables")
            + split("--comparisons {good}/results/comparisons.csv --figures {good}/results/figures")
            + split("-o {out}/report.html"),
            "results/metrics.csv",
        ),
        **{
            name: Stage(line.split() + (["--settings", settings] if settings else []), reads)
            for name, (line, reads, settings) in film_stages.lines().items()
        },
    }


def split(line: str, settings: object = None, **selection: object) -> list[str]:
    """The words of a command line, with a section's settings or a selection of scans as JSON behind them."""
    words = line.split()
    if settings is not None:
        text = to_text(settings) if isinstance(settings, RunSettings) else to_json(plain(settings))
        words += ["--settings", text]
    return words + (["--selection", json.dumps(selection)] if selection else [])


# Outputs of the good run that later stages read, and where they look for them.
KEPT = {
    "train": {"run": "results/trained"},
    "reconstruct": {"model/volumes": "results/model/volumes", "model/planes": "results/model/planes"},
    "score-run": {name: f"results/model/{name}" for name in ("scores.csv", "nodules.csv", "slices.csv")},
    "metrics": {name: f"results/{name}" for name in ("metrics.csv", "comparisons.csv")},
    "tables": {"tables": "results/tables"},
    "figures": {"figures": "results/figures"},
    **film_stages.KEPT,
}
# Stages that write into the folder of what they use: by whose name it lies in the target, where it is, and its files.
INTO = {
    "reconstruct": ("model", "results/model", ("settings.json", "weights.safetensors")),
    "style-transfer": ("pa", "results/style/pa", ("settings.json", "weights.safetensors")),
}


def table(folder: Path) -> dict[str, dict[str, Cell | None]]:
    """Outcomes by stage and fault, "none" among them; None where this machine cannot make the fault."""
    good = folder / "good"
    found: dict[str, dict[str, Cell | None]] = {}
    hu = np.random.default_rng(0).integers(-1000, 1000, (60, 60, 60)).astype(np.int16)
    cohort(good / "data")
    Volume(hu, (5.0, 5.0, 5.0), (0.0, 0.0, 0.0)).write(good / "ct.mha")
    random_run(good / "results/model")
    film_stages.make(good)
    random_run(good / "results/copies", tiny("lift", train={"augment": {"share": 1.0}}))
    for name, stage in stages().items():
        out = _target(folder, name, "none", good)
        code = _call(stage, good, out)  # in this process: what it imports stays
        found[name] = {"none": Cell(code, "", _files(out))}
        for made, place in KEPT.get(name, {}).items():
            (good / place).parent.mkdir(parents=True, exist_ok=True)
            (out / made).rename(good / place)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    for name, stage in stages().items():
        for fault in FAULTS:
            found[name][fault] = _cell(stage, fault, good, _target(folder, name, fault, good))
    return found


def _target(folder: Path, stage: str, fault: str, good: Path) -> Path:
    out = folder / stage / fault
    out.mkdir(parents=True)
    _linked(out, stage, good)
    return out


def _linked(out: Path, stage: str, good: Path) -> None:
    """The folder of INTO, of links."""
    if stage in INTO:
        folder, place, names = INTO[stage]
        (out / folder).mkdir()
        for name in names:
            (out / folder / name).symlink_to(good / place / name)


def _call(stage: Stage, good: Path, out: Path) -> int:
    from drr.__main__ import main as drr
    from dx2ct.cli import main as dx2ct

    words = [word.replace("{good}", str(good)).replace("{out}", str(out)) for word in stage.words]
    if stage.program == "drr":
        return drr(words)
    sys.argv = ["dx2ct", *words]
    try:
        dx2ct()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _cell(stage: Stage, fault: str, good: Path, out: Path) -> Cell | None:
    path = good / stage.input
    with _arranged(fault, path, out, good) as possible:
        if not possible:
            return None
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _end(lambda: _faulty(stage, fault, good, out, writing))
        os.close(writing)
        with os.fdopen(reading, errors="replace") as said:
            stderr = said.read()
        _, status = os.waitpid(child, 0)
        return Cell(os.waitstatus_to_exitcode(status), stderr, _files(out))


@contextmanager
def _arranged(fault: str, path: Path, out: Path, good: Path) -> Iterator[bool]:
    """The fault's part that lies on the disk; False where it cannot be made."""
    aside = path.with_name(f"aside-{path.name}")
    if fault == "disk full":
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", out], capture_output=True)
        if not mounted.returncode:
            _linked(out, out.parent.name, good)  # which the mount hides
        try:
            yield not mounted.returncode
        finally:
            if not mounted.returncode:
                subprocess.run(["umount", "--lazy", out], check=True)
    elif fault == "vanished":
        path.rename(aside)
        yield True
        aside.rename(path)
    elif fault == "unreadable":
        path.chmod(0)
        out.chmod(0o777)
        yield True
        path.chmod(0o644)
    elif fault == "read-only":
        for one in (out, *(sub for sub in out.iterdir() if sub.is_dir())):
            one.chmod(0o555)
        yield True
    else:
        yield True


def _faulty(stage: Stage, fault: str, good: Path, out: Path, stderr: int) -> int:
    os.dup2(stderr, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if fault == "file too large":
        resource.setrlimit(resource.RLIMIT_FSIZE, (stage.limit, stage.limit))
    elif fault == "memory":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() // 2,) * 2)
    elif fault in ("unreadable", "read-only") and os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    return _call(stage, good, out)


def _end(work: Callable[[], int]) -> None:
    """End this copy of the process with what `work` returns; a traceback goes to stderr as in any program."""
    code = 70
    try:
        code = work()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def _files(folder: Path) -> dict[str, int]:
    """All but links, which a test made."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(folder)): path.stat().st_size for path in sorted(paths)}


if __name__ == "__main__":
    sys.stdout.flush()
    told = os.dup(1)
    os.dup2(2, 1)  # what stages print is none of the table
    with os.fdopen(told, "w") as file:
        json.dump(table(Path(sys.argv[1])), file, default=asdict)
