#!/usr/bin/env bash
# Resolve the ranges of both pyproject files into requirements.lock: every version exact, with
# hashes, for every platform and Python >= 3.11, and without the address of any registry.
# Run it by `make lock`; arguments go to uv (`make setup` must be done before, for its uv).
#   tools/lock.sh --upgrade                      all of them to their newest
#   tools/lock.sh --upgrade-package lightning    one of them
set -euo pipefail
cd "$(dirname "$0")/.."

uv=$(command -v uv || echo .venv/bootstrap/bin/uv)
# torch and torchvision come out of one resolution, hence from one place: builds of two
# places do not import together ("operator torchvision::nms does not exist").
"$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
    --no-emit-package litcourse --extra dev \
    pyproject.toml litcourse/pyproject.toml --output-file requirements.lock "$@"

if grep -nE '://|^-' requirements.lock; then
    echo "lock: the lines above name an address or an option; requirements.lock must hold neither" >&2
    exit 1
fi
echo "lock: requirements.lock written; now: make setup && make test"
