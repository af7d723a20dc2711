# A row of `runs:` is trained, with folds once for each, then reconstructs every test scan.
# 8 threads are all the cores of a small machine (Snakemake lowers them to --cores), so that a training has it for
# itself: two torch threads beside another busy job are slower than one. The GPU is counted here, and asked for on a
# cluster; a training that is given several is started by torchrun, one process each.


# To resume after an interruption, training keeps its state in results/{run}/ and does not declare it: Snakemake
# deletes the declared outputs of a job that failed.
rule train:
    input:
        stacks=lambda wildcards: PLAN.stacks(PLAN.training_scans(wildcards.run)),
        xrays=lambda wildcards: PLAN.xrays(PLAN.training_scans(wildcards.run), PLAN.views_of(wildcards.run)),
        start=lambda wildcards: PLAN.start_files(wildcards.run),
        volumes=lambda wildcards: PLAN.copied_volumes(wildcards.run),
    output:
        layout.weights(RUN),
        layout.settings(RUN),
    log:
        "logs/train/{run}.log",
    benchmark:
        "benchmarks/train/{run}.tsv"
    wildcard_constraints:
        run=PLAN.trainings_that(lambda training: not PLAN.is_derived(training)),
    conda:
        "../environment.yml"
    threads: 8
    resources:
        gpu=lambda wildcards: PLAN.gpus_of(wildcards.run),
        mem_mb=by_attempt(lambda wildcards: 16000 if PLAN.gpus_of(wildcards.run) else 4000),
        runtime=lambda wildcards: 4320 if PLAN.gpus_of(wildcards.run) else 240,
        nodes=1,  # several GPUs of one training are one machine's
    params:
        settings=lambda wildcards: PLAN.training(wildcards.run),
        leave_out=lambda wildcards: PLAN.train_options(wildcards.run),
        sheet=untracked(PLAN.sheet),
        selection=untracked(PLAN.selection()),
        engine=untracked(PLAN.engine()),
        python=lambda wildcards, input, resources: PLAN.python_of(wildcards.run, resources.gpu),
    shell:
        "{params.python} dx2ct train --settings {params.settings:q} --sheet {params.sheet:q}"
        " --selection {params.selection:q} --engine {params.engine:q} --data data {params.leave_out}"
        " --threads {threads} -o results/{wildcards.run} &> {log:q}"


# A derived run has its source's weights in its own folder, so that every command finds them there.
rule derive:
    input:
        weights=lambda wildcards: layout.weights(Path(PLAN.source_run(wildcards.run))),
        settings=lambda wildcards: layout.settings(Path(PLAN.source_run(wildcards.run))),
    output:
        weights=layout.weights(RUN),
        settings=layout.settings(RUN),
    log:
        "logs/derive/{run}.log",
    wildcard_constraints:
        run=PLAN.trainings_that(PLAN.is_derived),
    conda:
        "../environment.yml"
    shell:
        "cp {input.weights:q} {output.weights:q} 2> {log:q} && cp {input.settings:q} {output.settings:q} 2>> {log:q}"


# A run with folds has no weights of its own: in its folder are the names of its trainings, and what they share.
rule folds:
    input:
        settings=lambda wildcards: PLAN.files(PLAN.trainings([wildcards.run]), layout.settings),
    output:
        settings=layout.settings(RUN),
        folds=layout.folds(RUN),
    log:
        "logs/folds/{run}.log",
    wildcard_constraints:
        run=PLAN.runs_that(PLAN.has_folds),
    conda:
        "../environment.yml"
    params:
        names=lambda wildcards: PLAN.folds_text(wildcards.run),
    shell:
        "cp {input.settings[0]:q} {output.settings:q} 2> {log:q} && echo {params.names:q} > {output.folds:q} 2>> {log:q}"


# settings.json is written beside the weights and is no input of its own: for each file of a training Snakemake looks
# through all that the training reads, once a reconstruction.
rule reconstruct:
    input:
        weights=lambda wildcards: PLAN.weights_for(wildcards.run, wildcards.scan),
        xrays=lambda wildcards: PLAN.seen_xrays(wildcards.run, wildcards.scan),
        geometry=layout.volume(DATA, "{scan}"),
        files=lambda wildcards: PLAN.files_of(wildcards.run, wildcards.scan),
    output:
        layout.reconstructions(RUN, "{scan}"),
    log:
        "logs/reconstruct/{run}/{scan}.log",
    benchmark:
        "benchmarks/reconstruct/{run}/{scan}.tsv"
    wildcard_constraints:
        run=PLAN.runs_that(lambda run: not PLAN.has_deviations(run)),
    conda:
        "../environment.yml"
    threads: 8
    resources:
        gpu=lambda wildcards: PLAN.gpus_of(wildcards.run),
        mem_mb=by_attempt(lambda wildcards: 8000 if PLAN.gpus_of(wildcards.run) else 4000),
        runtime=by_attempt(120),
    params:
        settings=lambda wildcards: PLAN.sampling(wildcards.run),
        views=lambda wildcards: PLAN.reconstruct_options(wildcards.run, wildcards.scan),
        engine=untracked(PLAN.engine()),
    shell:
        "python -m dx2ct reconstruct {wildcards.scan} --run results/{wildcards.run} --settings {params.settings:q}"
        " {params.views} --data data --engine {params.engine:q} --threads {threads} --max-memory {resources.mem_mb} &> {log:q}"


# A rule's outputs cannot depend on settings: the same with one more.
use rule reconstruct as reconstruct_samples with:
    output:
        layout.reconstructions(RUN, "{scan}"),
        layout.deviation(RUN, "{scan}"),
    wildcard_constraints:
        run=PLAN.runs_that(PLAN.has_deviations),


# What a training would cost on this machine: asked for by name, needs no data.
rule profile:
    output:
        layout.profile(RUN),
    log:
        "logs/profile/{run}.log",
    conda:
        "../environment.yml"
    threads: 8
    resources:
        gpu=lambda wildcards: PLAN.gpus_of(wildcards.run),
        mem_mb=by_attempt(16000),
        runtime=by_attempt(60),
    params:
        settings=lambda wildcards: PLAN.training(wildcards.run),
    shell:
        "python -m dx2ct profile --settings {params.settings:q} --threads {threads} -o {output:q} &> {log:q}"


# What a training sees: asked for by name.
rule examples:
    input:
        stacks=lambda wildcards: PLAN.stacks(PLAN.seen_by(wildcards.run, "train")),
        xrays=lambda wildcards: PLAN.xrays(PLAN.seen_by(wildcards.run, "train"), PLAN.views_of(wildcards.run)),
        volumes=lambda wildcards: PLAN.copied_volumes(wildcards.run),
    output:
        layout.examples(RUN),
    log:
        "logs/examples/{run}.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(60),
    params:
        settings=lambda wildcards: PLAN.training(wildcards.run),
        leave_out=lambda wildcards: PLAN.part_options(wildcards.run, "train"),
        sheet=untracked(PLAN.sheet),
        selection=untracked(PLAN.selection()),
    shell:
        "python -m dx2ct examples --settings {params.settings:q} --sheet {params.sheet:q}"
        " --selection {params.selection:q} --data data {params.leave_out} -o {output:q} &> {log:q}"
