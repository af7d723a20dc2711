# From the cohort's scans to what is trained on: phantom or download -> volume -> slices. One job a scan and stage.


# The cohort as it is used, for people and for the pages about it. Training and scoring read the sheet themselves: what
# makes them run again are their own scans.
rule cohort:
    output:
        cohort="results/cohort.tsv",
        left_out="results/left_out.tsv",
    log:
        "logs/cohort.log",
    conda:
        "../environment.yml"
    params:
        content=fingerprint([COHORT[scan] for scan in usable("train", "val", "test")], LEFT_OUT + list(FAILED.items())),
        sheet=untracked(SHEET),
        selection=untracked(to_json(selection_settings())),
        failed=untracked([f"--failed=data/failed/{scan}.txt" for scan in FAILED]),
    shell:
        "python -m dx2ct select {params.sheet:q} --selection {params.selection:q} {params.failed}"
        " --left-out {output.left_out:q} -o {output.cohort:q} &> {log:q}"


if config["cohort"]["source"] == "phantom":

    rule phantom:
        output:
            "data/raw/{scan}.zip",
        log:
            "logs/phantom/{scan}.log",
        conda:
            "../environment.yml"
        resources:
            mem_mb=2000,
            runtime=10,
        params:
            settings=lambda wildcards: phantom_settings(wildcards.scan),
        shell:
            "python -m dx2ct phantom {wildcards.scan} --settings {params.settings:q} -o {output:q} &> {log:q}"

elif config["cohort"]["source"] == "lidc":

    # One series, verified against the sheet. The archive is no result: changing its address fetches nothing again.
    rule download:
        output:
            "data/raw/{scan}.zip",
        log:
            "logs/download/{scan}.log",
        conda:
            "../environment.yml"
        resources:
            download_slots=1,
            mem_mb=1000,
            runtime=240,
        params:
            series=lambda wildcards: COHORT[wildcards.scan]["series_uid"],
            manifest=untracked(SHEET),
            settings=untracked(to_json(config["download"])),
        shell:
            "python -m dx2ct download --series {params.series} --manifest {params.manifest:q}"
            " --settings {params.settings:q} -o {output:q} &> {log:q}"


# A scan that cannot be read fails its job and leaves data/failed/{scan}.txt; the next run goes on without it.
rule volume:
    input:
        lambda wildcards: COHORT[wildcards.scan]["path"],
    output:
        "data/volumes/{scan}.mha",
    log:
        "logs/volume/{scan}.log",
    benchmark:
        "benchmarks/volume/{scan}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        settings=to_json(stage("volume")),
        series_uid=lambda wildcards: COHORT[wildcards.scan]["series_uid"],
    shell:
        "python -m dx2ct volume {input:q} --settings {params.settings:q} --series-uid={params.series_uid:q}"
        " --failure data/failed/{wildcards.scan}.txt -o {output:q} &> {log:q}"


rule slices:
    input:
        "data/volumes/{scan}.mha",
    output:
        expand("data/slices/{{scan}}/{plane}.npy", plane=PLANES),
    log:
        "logs/slices/{scan}.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        settings=to_json(stage("slices")),
    shell:
        "python -m dx2ct slices {input:q} --settings {params.settings:q} -o data/slices/{wildcards.scan} &> {log:q}"
