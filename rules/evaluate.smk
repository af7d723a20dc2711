# From reconstructions to numbers and pictures.


rule score:
    input:
        reconstructions=lambda wildcards: PLAN.reconstructed([wildcards.run]),
        stacks=lambda wildcards: PLAN.stacks(PLAN.tests_of(wildcards.run)),
        xrays=lambda wildcards: PLAN.xrays(PLAN.tests_of(wildcards.run)),
        nodules=PLAN.nodule_tables(),
        folds=lambda wildcards: PLAN.folds_files([wildcards.run]),
    output:
        scores=layout.scores(RUN),
        nodules=layout.scores(RUN, "nodules"),
        slices=layout.scores(RUN, "slices"),
    log:
        "logs/score/{run}.log",
    wildcard_constraints:
        run=PLAN.runs_that(lambda run: True),  # not `tables`, whose folder has a nodules.csv, too
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(120),
    params:
        settings=PLAN.stage("score"),
        xray=PLAN.stage("xray"),
        positions=lambda wildcards: PLAN.nodule_fingerprint(wildcards.run),
        leave_out=lambda wildcards: PLAN.score_options(wildcards.run),
        nodules=lambda wildcards, input: [f"--nodules={path}" for path in input.nodules],
        sheet=untracked(PLAN.sheet),
        selection=untracked(PLAN.selection()),
    shell:
        "python -m dx2ct score-run --run results/{wildcards.run} --settings {params.settings:q} --sheet {params.sheet:q}"
        " --selection {params.selection:q} --xray {params.xray:q} {params.nodules:q} --data data {params.leave_out}"
        " --threads {threads} -o {output.scores:q} &> {log:q}"


rule metrics:
    input:
        PLAN.files(PLAN.report, layout.scores),
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
        runs=PLAN.files(PLAN.report, Path),
    shell:
        "python -m dx2ct metrics {params.runs} -o {output.table:q} --comparisons {output.comparisons:q} &> {log:q}"


rule tables:
    input:
        metrics="results/metrics.csv",
        nodules=PLAN.files(PLAN.report, layout.scores, "nodules"),
        weights=PLAN.weights(PLAN.report),
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
        mem_mb=by_attempt(4000),
        runtime=by_attempt(30),
    params:
        runs=PLAN.files(PLAN.report, Path),
    shell:
        "python -m dx2ct tables {params.runs} --metrics {input.metrics:q} -o results/tables &> {log:q}"


# results/figures/training.png and .pdf depend on the runs and are not declared.
rule figures:
    input:
        cohort="results/cohort.tsv",
        scores=PLAN.files(PLAN.report, layout.scores),
        slices=PLAN.files(PLAN.report, layout.scores, "slices"),
        xrays=PLAN.xrays(TESTS),
        stacks=PLAN.stacks(TESTS),
        reconstructions=PLAN.reconstructed(PLAN.report),
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
        mem_mb=by_attempt(4000),
        runtime=by_attempt(60),
    params:
        runs=PLAN.files(PLAN.report, Path),
    shell:
        "python -m dx2ct figures {params.runs} --sheet {input.cohort:q} --data data -o results/figures &> {log:q}"


rule report:
    input:
        cohort="results/cohort.tsv",
        metrics="results/metrics.csv",
        comparisons="results/comparisons.csv",
        scores=PLAN.files(PLAN.report, layout.scores),
        tables=expand("results/tables/{table}.csv", table=TABLES),
        figures=expand("results/figures/{figure}.png", figure=FIGURES),
        stacks=PLAN.stacks(TESTS),
        reconstructions=PLAN.reconstructed(PLAN.report),
        calibrations=PLAN.calibrations(PLAN.report),
        left_out=PLAN.no_patterns(PLAN.left_out_tables()),
    output:
        report("results/report.html", caption="../workflow/report/page.rst", category="Results"),
    log:
        "logs/report.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(60),
    params:
        runs=PLAN.files(PLAN.report, Path),
        left_out=lambda wildcards, input: [f"--left-out={path}" for path in PLAN.left_out_tables()],
        config=untracked(PLAN.everything()),
    shell:
        "python -m dx2ct report {params.runs} --metrics {input.metrics:q} --comparisons {input.comparisons:q}"
        " --tables results/tables --figures results/figures --sheet {input.cohort:q} --data data {params.left_out:q}"
        " --config {params.config:q} -o {output:q} &> {log:q}"


# How far X-rays of reconstructions differ from those that they were made of, so that `predict` can doubt: asked for by
# name.
rule agreement:
    input:
        weights=layout.weights(RUN),
        stacks=lambda wildcards: PLAN.stacks(PLAN.seen_by(wildcards.run, "train", "val")),
        xrays=lambda wildcards: PLAN.xrays(PLAN.seen_by(wildcards.run, "train", "val"), PLAN.views_of(wildcards.run)),
        volumes=lambda wildcards: PLAN.copied_volumes(wildcards.run),
    output:
        layout.agreement(RUN),
    log:
        "logs/agreement/{run}.log",
    conda:
        "../environment.yml"
    threads: 8
    resources:
        gpu=lambda wildcards: PLAN.gpus_of(wildcards.run),
        mem_mb=by_attempt(8000),
        runtime=by_attempt(60),
    params:
        leave_out=lambda wildcards: PLAN.part_options(wildcards.run, "train", "val"),
        sheet=untracked(PLAN.sheet),
        selection=untracked(PLAN.selection()),
    shell:
        "python -m dx2ct agreement --run results/{wildcards.run} --sheet {params.sheet:q}"
        " --selection {params.selection:q} --data data {params.leave_out} --threads {threads} -o {output:q} &> {log:q}"


# Of runs with several samples: how much wider are the errors than their deviation? Learnt on scans that neither the
# weights nor the scores come from, which are reconstructed for it.
rule deviation_scale:
    input:
        weights=layout.weights(RUN),
        reconstructions=lambda wildcards: PLAN.reconstructions([wildcards.run], VALIDATION),
        deviations=lambda wildcards: PLAN.deviations(wildcards.run, VALIDATION),
        stacks=PLAN.stacks(VALIDATION),
    output:
        layout.deviation_scale(RUN),
    log:
        "logs/deviation_scale/{run}.log",
    wildcard_constraints:
        run=PLAN.runs_that(lambda run: PLAN.has_deviations(run) and not PLAN.has_folds(run)),
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(60),
    params:
        scans=VALIDATION,
        settings=lambda wildcards: PLAN.sampling(wildcards.run),
    shell:
        "python -m dx2ct deviation-scale {params.scans} --run results/{wildcards.run} --settings {params.settings:q}"
        " --data data -o {output:q} &> {log:q}"


# And does the deviation, as it is and scaled, say how wrong their mean is in the test scans?
rule calibration:
    input:
        reconstructions=lambda wildcards: PLAN.reconstructed([wildcards.run]),
        deviations=lambda wildcards: PLAN.deviations(wildcards.run, PLAN.tests_of(wildcards.run)),
        stacks=lambda wildcards: PLAN.stacks(PLAN.tests_of(wildcards.run)),
        scale=lambda wildcards: PLAN.deviation_scales([wildcards.run]),
    output:
        table=layout.calibration(RUN),
        figure=layout.calibration(RUN, "png"),
    log:
        "logs/calibration/{run}.log",
    wildcard_constraints:
        run=PLAN.runs_that(PLAN.has_deviations),
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(60),
    params:
        scans=lambda wildcards: PLAN.tests_of(wildcards.run),
        scale=lambda wildcards, input: [f"--scale={path}" for path in input.scale],
    shell:
        "python -m dx2ct calibration {params.scans} --run results/{wildcards.run} {params.scale:q} --data data"
        " -o {output.table:q} &> {log:q}"
