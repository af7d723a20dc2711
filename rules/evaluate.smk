# From reconstructions to numbers and pictures.


rule score:
    input:
        reconstructions=lambda wildcards: reconstructions(wildcards.run, usable("test")),
        stacks=stacks(usable("test")),
    output:
        "results/{run}/scores.csv",
    log:
        "logs/score/{run}.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        settings=to_json(stage("score")),
        leave_out=leave_out("test"),
        sheet=untracked(SHEET),
        selection=untracked(to_json(selection_settings())),
    shell:
        "python -m dx2ct score --run results/{wildcards.run} --settings {params.settings:q} --sheet {params.sheet:q}"
        " --selection {params.selection:q} --data data {params.leave_out} --threads {threads} -o {output:q} &> {log:q}"


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


# The other figures of results/figures/ depend on the runs and are not declared.
rule report:
    input:
        cohort="results/cohort.tsv",
        metrics="results/metrics.csv",
        comparisons="results/comparisons.csv",
        scores=expand("results/{run}/scores.csv", run=config["report"]),
        xrays=xrays(usable("test"), VIEWS),
        stacks=stacks(usable("test")),
        reconstructions=[path for run in config["report"] for path in reconstructions(run, usable("test"))],
        left_out=left_out_tables(),
    output:
        page="results/report.html",
        figure=report(
            "results/figures/comparison.png",
            caption="../workflow/report/comparison.rst",
            category="Results",
        ),
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
    shell:
        "python -m dx2ct report {params.runs} --metrics {input.metrics:q} --comparisons {input.comparisons:q}"
        " --sheet {input.cohort:q} --data data {params.left_out:q} -o {output.page:q} &> {log:q}"


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
