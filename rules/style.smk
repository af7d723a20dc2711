# Rendered X-rays in the style of films, and films in that of rendered X-rays: a CycleGAN of each view. Where style.films
# names none, no rule here can run; else `snakemake results/style/pa/domain_gap.json`, or a derived run with style: true.
STYLED = layout.style(RESULTS, "{view}")


# Films are no inputs: there may be 160,861. A param has the sizes and times of what lies in their folders.
rule style_films:
    output:
        layout.films(DATA, "{view}"),
        layout.films_table(DATA, "{view}"),
    log:
        "logs/style_films/{view}.log",
    wildcard_constraints:
        view=PLAN.style_views,
    conda:
        "../environment.yml"
    threads: 8
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(720),
    params:
        settings=lambda wildcards: PLAN.film_settings(wildcards.view),
        content=lambda wildcards: PLAN.film_stamps(),
    shell:
        "python -m dx2ct style-films --settings {params.settings:q} --data data --threads {threads} &> {log:q}"


# As rule train: its state is kept and not declared, and it has the machine for itself.
rule style_train:
    input:
        films=layout.films(DATA, "{view}"),
        table=layout.films_table(DATA, "{view}"),
        xrays=lambda wildcards: PLAN.style_inputs(wildcards.view),
    output:
        layout.weights(STYLED),
        layout.settings(STYLED),
        layout.examples(STYLED),
    log:
        "logs/style_train/{view}.log",
    benchmark:
        "benchmarks/style_train/{view}.tsv"
    wildcard_constraints:
        view=PLAN.style_views,
    conda:
        "../environment.yml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=by_attempt(16000),
        runtime=4320,
    params:
        settings=lambda wildcards: PLAN.style_settings(wildcards.view),
        leave_out=PLAN.leave_out("train"),
        sheet=untracked(PLAN.sheet),
        selection=untracked(PLAN.selection()),
        engine=untracked(PLAN.engine()),
    shell:
        "python -m dx2ct style-train --settings {params.settings:q} --sheet {params.sheet:q}"
        " --selection {params.selection:q} --engine {params.engine:q} --data data {params.leave_out}"
        " --threads {threads} -o results/style/{wildcards.view} &> {log:q}"


rule style_transfer:
    input:
        weights=layout.weights(STYLED),
        xray=layout.xray(DATA, "{scan}", "{view}"),
    output:
        layout.styled(STYLED, "{scan}"),
    log:
        "logs/style_transfer/{view}/{scan}.log",
    wildcard_constraints:
        view=PLAN.style_views,
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(10),
    shell:
        "python -m dx2ct style-transfer {wildcards.scan} --style results/style/{wildcards.view} --data data"
        " --device cpu --threads {threads} &> {log:q}"


# How well a classifier tells X-rays of scans that no style has seen from films, before and after: asked for by name.
rule style_gap:
    input:
        weights=layout.weights(STYLED),
        films=layout.films(DATA, "{view}"),
        table=layout.films_table(DATA, "{view}"),
        xrays=lambda wildcards: PLAN.xrays(PLAN.gap_scans(), [wildcards.view]),
        volumes=[layout.volume(DATA, scan) for scan in PLAN.gap_scans()],
    output:
        layout.domain_gap(STYLED),
    log:
        "logs/style_gap/{view}.log",
    wildcard_constraints:
        view=PLAN.style_views,
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(60),
    params:
        scans=PLAN.gap_scans(),
        copies=PLAN.config.style.train.copies,
    shell:
        "python -m dx2ct style-gap {params.scans} --style results/style/{wildcards.view} --data data"
        " --copies {params.copies} --device cpu --threads {threads} -o {output:q} &> {log:q}"


# Figure 4 of the paper, of the first test scan and of all runs of the report with style: true: asked for by name.
rule figure4:
    input:
        reconstructions=PLAN.figure4_volumes(),
        xrays=PLAN.figure4_xrays(),
        stacks=PLAN.stacks(TESTS[:1]),
    output:
        expand("results/figures/figure4.{suffix}", suffix=["png", "pdf"]),
    log:
        "logs/figure4.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(30),
    params:
        runs=PLAN.files(PLAN.styled_runs, Path),
        scan=TESTS[:1],
    shell:
        "python -m dx2ct figure4 {params.runs} --scan {params.scan} --style results/style --data data"
        " -o results/figures/figure4 &> {log:q}"
