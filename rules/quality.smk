# A page to look at before training: `snakemake results/qc.html`. One small job a scan, one for the page.


rule quality:
    input:
        source=lambda wildcards: COHORT[wildcards.scan]["path"],
        volume="data/volumes/{scan}.mha",
        xrays=expand("data/xrays/{{scan}}/{view}.mha", view=VIEWS),
    output:
        "data/qc/{scan}.json",
    log:
        "logs/quality/{scan}.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=3000,
        runtime=20,
    params:
        series_uid=lambda wildcards: COHORT[wildcards.scan]["series_uid"],
    shell:
        "python -m dx2ct quality {wildcards.scan} {input.source:q} --series-uid={params.series_uid:q} --data data"
        " -o {output:q} &> {log:q}"


rule qc_page:
    input:
        cohort="results/cohort.tsv",
        left_out="results/left_out.tsv",
        scans=[f"data/qc/{scan}.json" for scan in usable("train", "val", "test")],
    output:
        "results/qc.html",
    log:
        "logs/qc_page.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    shell:
        "python -m dx2ct qc-page {input.cohort:q} --left-out {input.left_out:q} --data data -o {output:q} &> {log:q}"
