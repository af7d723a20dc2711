# Helpers of the rules. Of this project only dx2ct.data.cohort.selection is imported here, which needs the standard library alone:
# every cluster job parses these files again.
import fcntl
import json
import os
import shutil
import sys

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

# The version of each stage's code, part of its settings: Snakemake does not see edits of the packages, so a change of
# a stage's numbers is announced by raising its version here and in the code (a golden-value test reminds of it).
VERSIONS = {"phantom": 1, "volume": 2, "xray": 1, "slices": 1, "score": 3}
VIEWS = ("pa", "lateral")
GPU_HERE = shutil.which("nvidia-smi") is not None
PLANES = ("axial", "coronal", "sagittal")
TABLES = ("table1a", "table1b", "table2", "clinical", "reprojection", "nodules", "cost")
FIGURES = ("comparison", "figure3", "errors", "psnr_by_slice", "scatter")


def prepend(variable, folder):
    """Put a folder first on a search path of this process and its jobs."""
    os.environ[variable] = os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))


def refuse(message):
    """End with one line: a WorkflowError would bring its traceback along."""
    sys.exit(f"error: {message}")


def check(data, schema, name):
    """Validate, with one line instead of a page on failure; `name` says where a path in the data lies."""
    try:
        validate(data, f"../workflow/schemas/{schema}")
    except WorkflowError as error:
        problem = error.__context__
        refuse(f"{name(list(problem.absolute_path))}: {problem.message}")


def check_config(config):
    check(config, "config.schema.yaml", lambda path: ".".join(["config", *map(str, path)]))
    for run in config["report"]:
        if run not in config["runs"]:
            refuse(f"config.report: {run} is not a row of runs ({', '.join(config['runs'])})")
    for run in config["runs"]:
        check_borrower(config, run)
    size, slices, pixels = config["volume"]["size"], config["slices"]["size"], config["model"]["xray_pixels"]
    if slices > size:
        refuse(f"config.slices.size: {slices} is more than volume.size, {size}")
    if pixels != slices:
        refuse(f"config.model.xray_pixels: {pixels} must equal slices.size, {slices}: feature maps meet slices there")


def check_borrower(config, run):
    """A run with another's weights: is there such a run, and can its sampling be?"""
    row = config["runs"][run]
    if "weights_of" not in row:
        return
    lender = config["runs"].get(row["weights_of"])
    if lender is None or "weights_of" in lender:
        refuse(f"config.runs.{run}.weights_of: {row['weights_of']} is not a run that is trained")
    if lender["method"] != "dx2ct":
        refuse(
            f"config.runs.{run}.weights_of: {row['weights_of']} is of method {lender['method']}, which does not sample"
        )
    merged = {**config, "reconstruct": over(config["reconstruct"], row["reconstruct"])}
    check(merged, "config.schema.yaml", lambda path: ".".join([f"config.runs.{run}", *map(str, path)]))


def over(section, changes):
    """A section with some of its values, at any depth, replaced."""
    deeper = {key for key, value in changes.items() if isinstance(value, dict) and isinstance(section.get(key), dict)}
    return section | {key: over(section[key], changes[key]) if key in deeper else changes[key] for key in changes}


def found(path):
    """A path of the configuration: as seen from the working directory or, failing that, from the workflow."""
    return path if os.path.exists(path) else os.path.join(workflow.basedir, path)


def to_json(sections):
    """Settings as one string that does not change when the YAML is reordered."""
    return json.dumps(sections, sort_keys=True)


def untracked(value):
    """A param that reruns nothing when it changes: Snakemake compares no function that asks for the inputs."""
    return lambda wildcards, input: value


def stage(name):
    """The section of a data stage with its version."""
    return {"version": VERSIONS[name], **config[name]}


def phantom_settings(scan):
    """The recipe of one phantom."""
    return to_json({"version": VERSIONS["phantom"], "seed": int(COHORT[scan]["seed"])})


def train_settings(run):
    """Everything that decides the weights of a run, and nothing else."""
    row = trained_as(run)
    sections = {"run": row, "volume": stage("volume"), "slices": stage("slices")}
    if "views" in row:
        sections["xray"] = stage("xray")
    if row["method"] == "dx2ct":
        sections |= {name: config[name] for name in ("model", "diffusion", "train")}
    sections |= config["methods"].get(row["method"], {})
    return to_json(sections)


def lender_of(run):
    """The run whose training a run uses, mostly its own."""
    return config["runs"][run].get("weights_of", run)


def trained_as(run):
    """The row of `runs:` that a run was trained as."""
    return config["runs"][lender_of(run)]


def reconstruct_settings(run):
    """How a run samples."""
    return over(config["reconstruct"], config["runs"][run].get("reconstruct", {}))


def runs_that(condition):
    """Names of runs as a wildcard's pattern."""
    return "|".join(run for run in config["runs"] if condition(run)) or "(?!)"


def is_trained(run):
    """Not a user of another run's weights."""
    return lender_of(run) == run


def has_deviations(run):
    """Draws several samples a scan."""
    return trained_as(run)["method"] == "dx2ct" and reconstruct_settings(run)["samples"] > 1


def selection_settings():
    """What decides which scans of the sheet are used."""
    return {key: config["cohort"][key] for key in ("split", "limit", "filters")}


def views_of(run):
    """The X-rays that a run looks at; the mean volume looks at none."""
    return trained_as(run).get("views", ())


def parts_of(run):
    """The parts of the split that a training looks at."""
    validation = training_of(run).get("validation", {})
    return ("train", "val") if validation.get("every") and validation["split"] == "val" else ("train",)


def training_of(run):
    """The section train of a run's method; of one that is not trained by steps none."""
    method = trained_as(run)["method"]
    return config["train"] if method == "dx2ct" else config["methods"].get(method, {}).get("train", {})


def python_of_processes(wildcards, input, resources):
    """What starts a training: torchrun, one process a GPU, where the resources are several. Asking for the inputs makes
    it untracked."""
    several = resources.gpu > 1 and training_of(wildcards.run)
    return f"torchrun --standalone --nproc-per-node {resources.gpu} -m" if several else "python -m"


def hold_workdir():
    """Refuse a second run in the same folder. Unlike Snakemake's own lock, this one ends with its process."""
    global _workdir
    if workflow.is_main_process:
        _workdir = open(".snakemake/dx2ct.lock", "w")
        try:
            fcntl.flock(_workdir, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            refuse(f"another snakemake is running in {os.getcwd()}: wait for it or stop it")


# Jobs run this interpreter and these packages from any working directory, without an activated environment; with
# --sdm conda the environment's own interpreter comes before.
prepend("PATH", os.path.dirname(sys.executable))
prepend("PYTHONPATH", workflow.basedir)
sys.path.insert(0, str(workflow.basedir))
# Snakemake limits OpenMP and BLAS to a job's threads; ITK has a name of its own.
shell.prefix("export ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=$OMP_NUM_THREADS; ")

check_config(config)
