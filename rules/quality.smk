# A page to look at before training: `snakemake results/qc.html`. One small job a scan, one for the page.


rule quality:
    input:
        source=lambda wildcards: PLAN.source_files(wildcards.scan),
        volume=layout.volume(DATA, "{scan}"),
        xrays=PLAN.xrays(["{scan}"]),
    output:
        layout.quality(DATA, "{scan}"),
    log:
        "logs/quality/{scan}.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(3000),
        runtime=by_attempt(5),
    params:
        source=lambda wildcards, input: PLAN.cohort[wildcards.scan]["path"],
        content=lambda wildcards: PLAN.source_stamp(wildcards.scan),
        series_uid=lambda wildcards: PLAN.series_words(wildcards.scan),
        views=[f"--view={view}" for view in PLAN.config.xray.views],
    shell:
        "python -m dx2ct quality {wildcards.scan} {params.source:q} --series-uid={params.series_uid:q} {params.views}"
        " --data data -o {output:q} &> {log:q}"


rule qc_page:
    input:
        cohort=RESULTS / "cohort.tsv",
        left_out=PLAN.no_patterns(PLAN.left_out_tables()),
        scans=[layout.quality(DATA, scan) for scan in EVERYTHING],
    output:
        RESULTS / "qc.html",
    log:
        "logs/qc_page.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(20),
    params:
        left_out=lambda wildcards, input: [f"--left-out={path}" for path in PLAN.left_out_tables()],
    shell:
        "python -m dx2ct qc-page {input.cohort:q} {params.left_out:q} --data data -o {output:q} &> {log:q}"
