#!/usr/bin/env bash
# From the built wheel alone, in an environment of its own and outside the clone: what docs/install.md promises.
# tests/wheel.sh PYTHON [REQUIREMENT ...]: further requirements pin some packages. Takes some minutes and 2 GB.
set -euo pipefail
python=$1
shift
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH
cd "$work"
"$python" -m venv build_env
build_env/bin/pip install --quiet build
build_env/bin/python -m build --outdir dist "$here" > build.log || { cat build.log; exit 1; }
"$python" -m venv env
env/bin/pip install --quiet "$(echo dist/*.whl)[web]" "$@"
export PATH=$work/env/bin:$PATH
dx2ct --version
drr --version
dx2ct new x --like smoke
(cd x && snakemake --cores 1 -n > plan.txt && grep -q "^total " plan.txt)
(cd x && snakemake --cores 1 > run.txt 2>&1 || { cat run.txt; exit 1; })
test -s x/results/metrics.csv -a -s x/results/report.html
dx2ct example-xrays xrays
dx2ct -q predict --pa xrays/chest_pa.mha --lateral xrays/chest_lateral.mha -o ct.nii.gz --png sheet.png
drr info ct.nii.gz
drr render ct.nii.gz -o drrs --pixels 64 --png
test -s drrs/pa.png -a -s sheet.png
dx2ct benchmark table -o table.html > table.txt
grep -q "^lift_1600 " table.txt
dx2ct serve --port 8471 > serve.txt 2>&1 &
trap 'kill %1; rm -rf "$work"' EXIT
for _ in $(seq 60); do  # until the model is loaded
    python -c "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8471/api/model').read())" > model.txt 2>&1 || true
    grep -q '"ready":true' model.txt && break
    sleep 2
done
grep -q '"ready":true' model.txt || { cat serve.txt model.txt; exit 1; }
echo "the wheel works"
