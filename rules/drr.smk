# X-rays of the volumes. One job a view, although loading costs more than rendering: a view more or less is then none of
# the others' business, and of a job that misses one of its outputs Snakemake would no longer compare the params.


rule xray:
    input:
        layout.volume(DATA, "{scan}"),
    output:
        layout.xray(DATA, "{scan}", "{view}"),
    log:
        "logs/xray/{scan}/{view}.log",
    benchmark:
        "benchmarks/xray/{scan}/{view}.tsv"
    wildcard_constraints:
        view="|".join(PLAN.config.xray.views),
    conda:
        "../environment.yml"
    resources:
        gpu=0,  # it takes a GPU that it finds; asking for one is the profile's business, a node would answer anew
        mem_mb=by_attempt(2000),
        runtime=by_attempt(5),
    params:
        settings=lambda wildcards: PLAN.rendering(wildcards.view),
    shell:
        "python -m dx2ct xray {input:q} --settings {params.settings:q} --threads {threads}"
        " -o data/xrays/{wildcards.scan} &> {log:q}"
