# From the cohort's scans to what is trained on: fetch -> volume -> slices. One job a scan and stage.


# The cohort as it is used, for people and for the pages about it. Training and scoring read the sheet themselves: what
# makes them run again are their own scans.
rule cohort:
    output:
        cohort=RESULTS / "cohort.tsv",
        left_out=RESULTS / "left_out.tsv",
    log:
        "logs/cohort.log",
    conda:
        "../environment.yml"
    params:
        content=PLAN.cohort_fingerprint(),
        sheet=untracked(PLAN.sheet),
        selection=untracked(PLAN.selection()),
        failed=untracked(PLAN.cohort_options()),
    shell:
        "python -m dx2ct select {params.sheet:q} --selection {params.selection:q} {params.failed}"
        " --left-out {output.left_out:q} -o {output.cohort:q} &> {log:q}"


if PLAN.source.fetch:

    # A phantom is drawn, a series of LIDC-IDRI downloaded and verified against the sheet.
    rule fetch:
        output:
            layout.raw(DATA, "{scan}"),
        log:
            "logs/fetch/{scan}.log",
        conda:
            "../environment.yml"
        resources:
            download_slots=PLAN.source.slots,
            mem_mb=by_attempt(2000),
            runtime=by_attempt(15),
        params:
            content=lambda wildcards: PLAN.fetched(wildcards.scan),
            source=PLAN.source.name,
            sheet=untracked(PLAN.sheet),
            settings=untracked(PLAN.fetching()),
        shell:
            "python -m dx2ct fetch {wildcards.scan} --source {params.source} --sheet {params.sheet:q}"
            " --settings {params.settings:q} -o {output:q} &> {log:q}"


# A scan that cannot be read fails its job and leaves data/failed/{scan}.txt; the next run goes on without it.
rule volume:
    input:
        lambda wildcards: PLAN.source_files(wildcards.scan),
    output:
        layout.volume(DATA, "{scan}"),
    log:
        "logs/volume/{scan}.log",
    benchmark:
        "benchmarks/volume/{scan}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(5),
    params:
        source=lambda wildcards, input: PLAN.cohort[wildcards.scan]["path"],
        content=lambda wildcards: PLAN.source_stamp(wildcards.scan),
        settings=PLAN.stage("volume"),
        series_uid=lambda wildcards: PLAN.series_words(wildcards.scan),
    shell:
        "python -m dx2ct volume {params.source:q} --settings {params.settings:q} --series-uid={params.series_uid:q}"
        " --failure data/failed/{wildcards.scan}.txt -o {output:q} &> {log:q}"


rule slices:
    input:
        layout.volume(DATA, "{scan}"),
    output:
        [layout.stack(DATA, "{scan}", plane) for plane in PLANES],
    log:
        "logs/slices/{scan}.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(5),
    params:
        settings=PLAN.stage("slices"),
    shell:
        "python -m dx2ct slices {input:q} --settings {params.settings:q} -o data/slices/{wildcards.scan} &> {log:q}"
