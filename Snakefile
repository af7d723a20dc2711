# 3D chest CT from one or two X-rays: data in, metrics and report out. Start with `snakemake results/metrics.csv`.
include: "rules/workflow.smk"


rule all:
    default_target: True
    input:
        lambda wildcards: targets(),
