# X-rays of the volumes: all views of a scan in one job, because loading costs more than the second view.


rule xray:
    input:
        layout.volume(DATA, "{scan}"),
    output:
        PLAN.xrays(["{scan}"]),
    log:
        "logs/xray/{scan}.log",
    benchmark:
        "benchmarks/xray/{scan}.tsv"
    conda:
        "../environment.yml"
    resources:
        gpu=int(GPU_HERE),
        mem_mb=2000,
        runtime=20,
    params:
        settings=PLAN.stage("xray"),
    shell:
        "python -m dx2ct xray {input:q} --settings {params.settings:q} --threads {threads}"
        " -o data/xrays/{wildcards.scan} &> {log:q}"
