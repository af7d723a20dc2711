# What the rules share: the plan, which is the configuration with its cohort, and the environment of the jobs. Of this
# project only dx2ct.layout and dx2ct.planning are imported, which are light: every cluster job parses these files again.
import fcntl
import os
from pathlib import Path
import sys

# A clone runs its own packages, whatever else is installed.
ABOVE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
if (ABOVE / "dx2ct").is_dir():
    sys.path.insert(0, str(ABOVE))

from dx2ct import layout
from dx2ct.layout import DATA, FIGURES, PLANES, RESULTS, ROOT, TABLES
from dx2ct.planning import cluster, InputError, Plan


def refuse(message):
    """End with one line: a WorkflowError would bring its traceback along."""
    sys.exit(f"error: {message}")


def targets():
    """What `all` makes."""
    try:
        return PLAN.targets()
    except InputError as error:
        refuse(error)


def planned():
    """The plan of the files and values of the command line, or of what a module is given; warnings once."""
    settings = workflow.config_settings
    try:
        if not workflow.modifier.is_main_snakefile():  # of `module dx2ct: config: ...`
            plan = Plan([config], {}, ROOT)
        else:
            plan = Plan(settings.configfiles or [own_config()], settings.config, ROOT)
    except InputError as error:
        refuse(error)
    if workflow.is_main_process:
        for warning in plan.warnings():
            print(f"warning: {warning}", file=sys.stderr)
    return plan


def own_config():
    """Without --configfile: the demo's in the clone, in a project its own."""
    folder = Path(workflow.basedir)
    return (ROOT if folder in (ROOT, ROOT / "workflow") else folder) / "config.yaml"


def prepend(variable, folder):
    """Put a folder first on a search path of this process and its jobs."""
    os.environ[variable] = os.pathsep.join(filter(None, [str(folder), os.environ.get(variable)]))


def untracked(value):
    """Wrap a param so that changing it triggers no rerun: Snakemake compares no callable that takes `input`."""
    return lambda wildcards, input: value


def hold_workdir():
    """Refuse a second run in the same folder. Unlike Snakemake's own lock, this one ends with its process."""
    global _workdir
    if workflow.is_main_process:
        _workdir = open(".snakemake/dx2ct.lock", "w")
        try:
            fcntl.flock(_workdir, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            refuse(f"another snakemake is running in {os.getcwd()}: wait for it or stop it")


def begin_anew():
    """`-R train` forgets what an interrupted training would go on from; a job that is merely due goes on."""
    if workflow.is_main_process:
        for job in workflow.dag.needrun_jobs():
            if job.rule.name in ("train", "style_train") and workflow.dag.reason(job).forced:
                for state in layout.states(Path(job.output[0]).parent):
                    state.unlink(missing_ok=True)


def by_attempt(amount):
    """Memory or minutes of a job's first attempt, as a number or of its wildcards; the second has twice as much, and so on."""
    return lambda wildcards, attempt: attempt * (amount(wildcards) if callable(amount) else amount)


def look_at_cluster():
    """Refuse to start beside jobs of an earlier run in this folder; say which jobs their partition would never start."""
    if workflow.local_exec or not workflow.is_main_process:
        return
    if left := cluster.alive(Path.cwd()):
        refuse(f"jobs of an earlier run in {os.getcwd()} are in the queue: scancel {' '.join(left)}, or wait for them")
    jobs = [job for job in workflow.dag.needrun_jobs() if not job.is_local]
    groups = {group for job in jobs if (group := workflow.dag.get_job_group(job))}
    asked = [
        *((f"rule {job.rule.name}", job.resources) for job in jobs),
        *(("a group", group.resources) for group in groups),
    ]
    for warning in cluster.warnings(asked):
        print(f"warning: {warning}", file=sys.stderr)


def stop_polling():
    """Start jobs of this machine without a rate limit. Under one, every finished job leaves Snakemake 9 a timer that looks
    each second for what could start, for ever: with two trainings that share a GPU a quarter of a core was lost."""
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


# Jobs run this interpreter and these packages from any working directory, without an activated environment; with
# --sdm conda the environment's own interpreter comes before.
prepend("PATH", os.path.dirname(sys.executable))
if (ROOT / "dx2ct").is_dir():
    prepend("PYTHONPATH", ROOT)
elif any(method.name == "CONDA" for method in workflow.deployment_settings.deployment_method):
    refuse("--sdm conda needs a clone of dx2ct: the environments of jobs hold packages, but not an installed dx2ct")
# Snakemake limits OpenMP and BLAS to a job's threads; ITK has a name of its own.
shell.prefix("export ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=$OMP_NUM_THREADS; ")

PLAN = planned()
RUN = layout.run(RESULTS, "{run}")
TESTS = PLAN.tests
VALIDATION = PLAN.usable("val")
EVERYTHING = PLAN.in_use


def scored_films():
    """The scores of films of all runs."""
    try:
        return PLAN.film_scores()
    except InputError as error:
        refuse(error)


def film_records():
    """How all runs reconstructed the films."""
    scored_films()  # which refuses a cohort without films
    return [record for run in PLAN.film_runs() for record in PLAN.film_records(run)]
