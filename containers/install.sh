#!/bin/sh
# install.sh SOURCE TARGET: a virtual environment with dx2ct at the pins of requirements.lock, the ray-caster compiled in it.
# TORCH_INDEX: where PyTorch's builds are, empty for PyPI and what pip is configured with. EXTRAS: as in "[gpu]".
set -eu
source=$1 target=$2
python3 -m venv "$target"
"$target/bin/pip" install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
    --constraint "$source/requirements.lock" "$source${EXTRAS:-}"
export DRR_CACHE="$target/cache"
"$target/bin/python" -m drr._build
chmod -R a+rX "$target"
