# LIDC-IDRI's own films, of patients whose CTs are in split test: asked for by name, results/films.csv. A series that
# holds no PA, or that cannot be read, is a row with its reason.


rule film_views:
    input:
        layout.raw(DATA, "{films}"),
    output:
        layout.film_series(DATA, "{films}"),
    log:
        "logs/film_views/{films}.log",
    wildcard_constraints:
        films=PLAN.film_names(),
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(5),
    shell:
        "python -m dx2ct film-views {input:q} -o {output:q} &> {log:q}"


# The volume, results/RUN/films/NAME.nii.gz, and its preview depend on the films and are not declared.
rule film_predict:
    input:
        weights=layout.weights(RUN),
        settings=layout.settings(RUN),
        archive=layout.raw(DATA, "{films}"),
        views=layout.film_series(DATA, "{films}"),
    output:
        layout.film_record(RUN, "{films}"),
    log:
        "logs/film_predict/{run}/{films}.log",
    wildcard_constraints:
        films=PLAN.film_names(),
    conda:
        "../environment.yml"
    threads: 8
    resources:
        gpu=lambda wildcards: PLAN.gpus_of(wildcards.run),
        mem_mb=by_attempt(8000),
        runtime=by_attempt(30),
    shell:
        "python -m dx2ct film-predict {input.archive:q} --run results/{wildcards.run} --views {input.views:q}"
        " --threads {threads} -o {output:q} &> {log:q}"


rule film_scores:
    input:
        records=lambda wildcards: PLAN.film_records(wildcards.run),
        stacks=PLAN.stacks(PLAN.films.values()),
        volumes=[layout.volume(DATA, scan) for scan in PLAN.films.values()],
    output:
        RUN / "films.csv",
    log:
        "logs/film_scores/{run}.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(60),
    params:
        pairs=[f"{films}={scan}" for films, scan in PLAN.films.items()],
    shell:
        "python -m dx2ct film-scores {params.pairs} --run results/{wildcards.run} --data data -o {output:q} &> {log:q}"


rule film_table:
    input:
        lambda wildcards: scored_films(),
    output:
        "results/films.csv",
    log:
        "logs/film_table.log",
    conda:
        "../environment.yml"
    params:
        runs=PLAN.files(PLAN.film_runs(), Path),
    shell:
        "python -m dx2ct film-table {params.runs} -o {output:q} &> {log:q}"


# As figure 4 of the paper: films with coronal, sagittal and axial slices of each run.
rule film_figure:
    input:
        records=lambda wildcards: film_records(),
        archives=[layout.raw(DATA, films) for films in PLAN.films],
        views=[layout.film_series(DATA, films) for films in PLAN.films],
    output:
        "results/figures/films.png",
    log:
        "logs/film_figure.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(15),
    params:
        series=list(PLAN.films),
        runs=[f"--run={run}" for run in PLAN.files(PLAN.film_runs(), Path)],
    shell:
        "python -m dx2ct film-figure {params.series} {params.runs} --data data -o {output:q} &> {log:q}"
