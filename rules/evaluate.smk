# From reconstructions to numbers and pictures.


rule score:
    input:
        reconstructions=lambda wildcards: reconstructions(wildcards.run, usable("test")),
        stacks=stacks(usable("test")),
        xrays=xrays(usable("test"), VIEWS),
        nodules=nodule_tables(),
    output:
        scores="results/{run}/scores.csv",
        nodules="results/{run}/nodules.csv",
        slices="results/{run}/slices.csv",
    log:
        "logs/score/{run}.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        settings=to_json(stage("score")),
        xray=to_json(stage("xray")),
        positions=fingerprint(nodule_columns(usable("test")), []),
        leave_out=leave_out("test"),
        nodules=lambda wildcards, input: [f"--nodules={path}" for path in input.nodules],
        sheet=untracked(SHEET),
        selection=untracked(to_json(selection_settings())),
    shell:
        "python -m dx2ct score-run --run results/{wildcards.run} --settings {params.settings:q} --sheet {params.sheet:q}"
        " --selection {params.selection:q} --xray {params.xray:q} {params.nodules:q} --data data {params.leave_out}"
        " --threads {threads} -o {output.scores:q} &> {log:q}"


rule metrics:
    input:
        expand("results/{run}/scores.csv", run=config["report"]),
    output:
        table=report(
            "results/metrics.csv",
            caption="../workflow/report/metrics.rst",
            category="Results",
        ),
        comparisons=report(
            "results/comparisons.csv",
            caption="../workflow/report/comparisons.rst",
            category="Results",
        ),
    log:
        "logs/metrics.log",
    conda:
        "../environment.yml"
    params:
        runs=expand("results/{run}", run=config["report"]),
    shell:
        "python -m dx2ct metrics {params.runs} -o {output.table:q} --comparisons {output.comparisons:q} &> {log:q}"


rule tables:
    input:
        metrics="results/metrics.csv",
        nodules=expand("results/{run}/nodules.csv", run=config["report"]),
        weights=expand("results/{run}/weights.safetensors", run=config["report"]),
    output:
        report(
            expand("results/tables/{table}.csv", table=TABLES),
            caption="../workflow/report/tables.rst",
            category="Tables",
        ),
        expand("results/tables/{table}.{suffix}", table=TABLES, suffix=["md", "tex"]),
    log:
        "logs/tables.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        runs=expand("results/{run}", run=config["report"]),
    shell:
        "python -m dx2ct tables {params.runs} --metrics {input.metrics:q} -o results/tables &> {log:q}"


# results/figures/training.png and .pdf depend on the runs and are not declared.
rule figures:
    input:
        cohort="results/cohort.tsv",
        scores=expand("results/{run}/scores.csv", run=config["report"]),
        slices=expand("results/{run}/slices.csv", run=config["report"]),
        xrays=xrays(usable("test"), VIEWS),
        stacks=stacks(usable("test")),
        reconstructions=[path for run in config["report"] for path in reconstructions(run, usable("test"))],
    output:
        report(
            expand("results/figures/{figure}.png", figure=FIGURES),
            caption="../workflow/report/figures.rst",
            category="Figures",
        ),
        expand("results/figures/{figure}.pdf", figure=FIGURES),
    log:
        "logs/figures.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        runs=expand("results/{run}", run=config["report"]),
    shell:
        "python -m dx2ct figures {params.runs} --sheet {input.cohort:q} --data data -o results/figures &> {log:q}"


rule report:
    input:
        cohort="results/cohort.tsv",
        metrics="results/metrics.csv",
        comparisons="results/comparisons.csv",
        scores=expand("results/{run}/scores.csv", run=config["report"]),
        tables=expand("results/tables/{table}.csv", table=TABLES),
        figures=expand("results/figures/{figure}.png", figure=FIGURES),
        stacks=stacks(usable("test")),
        reconstructions=[path for run in config["report"] for path in reconstructions(run, usable("test"))],
        left_out=left_out_tables(),
    output:
        report("results/report.html", caption="../workflow/report/page.rst", category="Results"),
    log:
        "logs/report.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        runs=expand("results/{run}", run=config["report"]),
        left_out=lambda wildcards, input: [f"--left-out={path}" for path in input.left_out],
        config=untracked(to_json(config)),
    shell:
        "python -m dx2ct report {params.runs} --metrics {input.metrics:q} --comparisons {input.comparisons:q}"
        " --tables results/tables --figures results/figures --sheet {input.cohort:q} --data data {params.left_out:q}"
        " --config {params.config:q} -o {output:q} &> {log:q}"


# Of runs with several samples: does their deviation say how wrong their mean is?
rule calibration:
    input:
        reconstructions=lambda wildcards: reconstructions(wildcards.run, usable("test")),
        deviations=lambda wildcards: expand(
            "results/{run}/deviations/{scan}.nii.gz", run=wildcards.run, scan=usable("test")
        ),
        stacks=stacks(usable("test")),
    output:
        table="results/{run}/calibration.csv",
        figure="results/{run}/calibration.png",
    log:
        "logs/calibration/{run}.log",
    wildcard_constraints:
        run=runs_that(has_deviations),
    conda:
        "../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        scans=usable("test"),
    shell:
        "python -m dx2ct calibration {params.scans} --run results/{wildcards.run} --data data -o {output.table:q} &> {log:q}"
