# A row of `runs:` is trained, then reconstructs every test scan.
# 8 threads are all the cores of a small machine (Snakemake lowers them to --cores), so that a training has it for
# itself: two torch threads beside another busy job are slower than one. The GPU is counted here, and asked for on a
# cluster; a training that is given several is started by torchrun, one process each.


# To resume after an interruption, training keeps its state in results/{run}/ and does not declare it: Snakemake
# deletes the declared outputs of a job that failed.
rule train:
    input:
        stacks=lambda wildcards: stacks(usable(*parts_of(wildcards.run))),
        xrays=lambda wildcards: xrays(usable(*parts_of(wildcards.run)), views_of(wildcards.run)),
    output:
        "results/{run}/weights.safetensors",
        "results/{run}/settings.json",
    log:
        "logs/train/{run}.log",
    benchmark:
        "benchmarks/train/{run}.tsv"
    wildcard_constraints:
        run=runs_that(is_trained),
    conda:
        "../environment.yml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=4320,
    params:
        settings=lambda wildcards: train_settings(wildcards.run),
        leave_out=lambda wildcards: leave_out(*parts_of(wildcards.run)),
        sheet=untracked(SHEET),
        selection=untracked(to_json(selection_settings())),
        engine=untracked(to_json(config["engine"])),
        python=python_of_processes,
    shell:
        "{params.python} dx2ct train --settings {params.settings:q} --sheet {params.sheet:q}"
        " --selection {params.selection:q} --engine {params.engine:q} --data data {params.leave_out}"
        " --threads {threads} -o results/{wildcards.run} &> {log:q}"


# A run that samples another's weights in another way has them in its own folder, so that every command finds them there.
rule borrow:
    input:
        weights=lambda wildcards: f"results/{lender_of(wildcards.run)}/weights.safetensors",
        settings=lambda wildcards: f"results/{lender_of(wildcards.run)}/settings.json",
    output:
        weights="results/{run}/weights.safetensors",
        settings="results/{run}/settings.json",
    log:
        "logs/borrow/{run}.log",
    wildcard_constraints:
        run=runs_that(lambda run: not is_trained(run)),
    conda:
        "../environment.yml"
    shell:
        "cp {input.weights:q} {output.weights:q} 2> {log:q} && cp {input.settings:q} {output.settings:q} 2>> {log:q}"


rule reconstruct:
    input:
        weights="results/{run}/weights.safetensors",
        settings="results/{run}/settings.json",
        xrays=lambda wildcards: xrays([wildcards.scan], views_of(wildcards.run)),
        geometry="data/volumes/{scan}.mha",
    output:
        reconstructions("{run}", ["{scan}"]),
    log:
        "logs/reconstruct/{run}/{scan}.log",
    benchmark:
        "benchmarks/reconstruct/{run}/{scan}.tsv"
    wildcard_constraints:
        run=runs_that(lambda run: not has_deviations(run)),
    conda:
        "../environment.yml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=120,
    params:
        settings=lambda wildcards: to_json(reconstruct_settings(wildcards.run)),
        engine=untracked(to_json(config["engine"])),
    shell:
        "python -m dx2ct reconstruct {wildcards.scan} --run results/{wildcards.run} --settings {params.settings:q}"
        " --data data --engine {params.engine:q} --threads {threads} --max-memory {resources.mem_mb} &> {log:q}"


# A rule's outputs cannot depend on settings: the same with one more.
use rule reconstruct as reconstruct_samples with:
    output:
        reconstructions("{run}", ["{scan}"]),
        "results/{run}/deviations/{scan}.nii.gz",
    wildcard_constraints:
        run=runs_that(has_deviations),


# What a training would cost on this machine: asked for by name, needs no data.
rule profile:
    output:
        "results/{run}/profile.json",
    log:
        "logs/profile/{run}.log",
    conda:
        "../environment.yml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=60,
    params:
        settings=lambda wildcards: train_settings(wildcards.run),
    shell:
        "python -m dx2ct profile --settings {params.settings:q} --threads {threads} -o {output:q} &> {log:q}"
