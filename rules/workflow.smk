# The whole workflow but its rule `all`, which every Snakefile has itself: Snakemake takes no default target from a file
# that is included.
from snakemake.utils import min_version

min_version("9.19")  # the first to find profiles/default/profile.yaml by itself


# Configuration files are read, merged and checked by dx2ct.planning: without --configfile that is config.yaml.
include: "common.smk"
include: "data.smk"
include: "drr.smk"
include: "quality.smk"
include: "style.smk"
include: "train.smk"
include: "evaluate.smk"
include: "films.smk"


# Looked at with --sdm apptainer alone: the image of containers/dx2ct.def.
container: os.environ.get("DX2CT_IMAGE", "dx2ct.sif")


localrules:
    all,
    cohort,
    derive,
    film_table,
    folds,
    metrics,
    qc_page,


wildcard_constraints:
    scan="[A-Za-z0-9_-]+",
    run="[A-Za-z0-9_-]+",


onstart:
    hold_workdir()
    look_at_cluster()
    begin_anew()
    stop_polling()
