#!/bin/sh
# check.sh TARGET: the smoke pipeline, the example films, and a DRR by the compiled ray-caster, in an environment of install.sh.
set -eu
export PATH="$1/bin:$PATH" DRR_CACHE="$1/cache" PYTHONNOUSERSITE=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
dx2ct new x --like smoke
(cd x && snakemake --cores 1)
dx2ct example-xrays films
dx2ct predict --pa films/chest_pa.mha --lateral films/chest_lateral.mha -o ct.nii.gz
drr render ct.nii.gz -o xrays --pixels 64 --backend cpu
echo "checked: $(dx2ct --version)"
