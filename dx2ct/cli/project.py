"""What `dx2ct new` and `dx2ct example-xrays` write: a folder that runs the installed workflow, and X-rays to try."""

from pathlib import Path
import re
import shlex
import shutil

from drr.errors import InputError
from drr.files import replacing
from dx2ct.layout import ROOT

DEMO = "demo"
EXAMPLES = {"pa": "chest_pa.mha", "lateral": "chest_lateral.mha"}
_HAS_RUNS = re.compile(r"^(runs|base):", re.MULTILINE)  # without them a file is to be laid over another one
_SNAKEFILE = """\
# The workflow of the installed dx2ct, with this folder's config.yaml. Run the `snakemake` of the environment that
# dx2ct is installed in: `snakemake -n` says what would run, `snakemake` runs it.
from dx2ct.layout import ROOT


include: str(ROOT / "rules/workflow.smk")


rule all:
    default_target: True
    input:
        lambda wildcards: targets(),
"""
_CONFIG = """\
# This project's configuration. It is laid over `base`, a configuration of dx2ct, and says what differs from it.
# `dx2ct config config.yaml --resolve` prints every key with its value and where that is from.
base: {base}
# Others: {others}.

# Your own scans: `dx2ct cohort FOLDER -o mine` finds them and writes mine/cohort.tsv. Then:
# cohort:
#   source: local
#   sheet: mine/cohort.tsv
#   left_out: mine/left_out.tsv
#   split: null

# What is computed: names of `runs:`, of the base or of your own.
# runs:
#   mine: {{method: lift, views: [pa]}}
# report: [mean, mine]

# Research use only, not a medical device.
"""


def bases() -> dict[str, str]:
    """Configurations of dx2ct that a project may begin with: their names, and what `base:` says of them."""
    files = sorted((ROOT / "workflow/config").glob("*.yaml"))
    whole = [path for path in files if _HAS_RUNS.search(path.read_text(encoding="utf-8"))]
    return {DEMO: "config.yaml"} | {path.stem: f"workflow/config/{path.name}" for path in whole}


def write_project(folder: Path, like: str) -> str:
    """Write Snakefile, config.yaml and profiles; the command to type next.

    like: a name of `bases`. Raises InputError for another name, and for a folder that is there.
    """
    known = bases()
    if like not in known:
        raise InputError(f"--like {like}: no such configuration: choose {', '.join(known)}")
    if folder.exists():
        raise InputError(f"{folder}: is there already: name a new folder")
    others = ", ".join(base for base in known.values() if base != known[like])
    with replacing(folder) as part:
        part.mkdir(parents=True)
        (part / "Snakefile").write_text(_SNAKEFILE, encoding="utf-8")
        (part / "config.yaml").write_text(_CONFIG.format(base=known[like], others=others), encoding="utf-8")
        (part / ".gitignore").write_text(".snakemake/\n/data/\n/results/\n/logs/\n/benchmarks/\n", encoding="utf-8")
        shutil.copytree(ROOT / "profiles", part / "profiles")
    return shlex.join(["cd", str(folder)]) + " && snakemake -n"


def write_examples(folder: Path) -> str:
    """Copy the example X-rays and their attribution into a new folder; the command to type next.

    Raises InputError for a folder that is there.
    """
    if folder.exists():
        raise InputError(f"{folder}: is there already: name a new folder")
    with replacing(folder) as part:
        part.mkdir(parents=True)
        for name in ("README.md", *EXAMPLES.values()):
            shutil.copyfile(ROOT / "examples" / name, part / name)
    xrays = [word for view, name in EXAMPLES.items() for word in (f"--{view}", str(folder / name))]
    return shlex.join(["dx2ct", "predict", *xrays, "-o", "ct.nii.gz", "--png", "sheet.png"])
