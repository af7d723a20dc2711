# 3D chest CT from one or two X-rays: data in, metrics and report out. Start with `snakemake results/metrics.csv`.
from snakemake.utils import min_version

min_version("9.19")  # the first to find profiles/default/profile.yaml by itself


# Configuration files are read, merged and checked by dx2ct.planning: without --configfile that is config.yaml.
include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/drr.smk"
include: "rules/quality.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"


localrules:
    all,
    cohort,
    derive,
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


rule all:
    default_target: True
    input:
        lambda wildcards: targets(),
