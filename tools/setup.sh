#!/usr/bin/env bash
# Make .venv: the exact dependencies of requirements.lock, then litcourse and autograder, editable.
# Writes to .venv and to the caches of uv and pip, and nowhere else. Run it by `make setup`.
set -euo pipefail
cd "$(dirname "$0")/.."
# The Makefile puts .venv first; what makes .venv has to come from elsewhere.
PATH=${PATH#"$PWD/.venv/bin:"}

die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3 python3.12 python3.11 python3.13; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    die "found no Python 3.11 or newer. Install one, or name it: make setup PYTHON=/path/to/python3.12"
}

# A .venv of another Python, or one that a moved checkout left dead, is made anew.
ready_venv() {
    local wanted have
    wanted=$("$1" -c 'import sys; print(sys.version_info[:2])')
    have=$(.venv/bin/python -c 'import sys; print(sys.version_info[:2])' 2>/dev/null || true)
    if [ "$have" != "$wanted" ] || ! grep -qsF "$PWD/.venv" .venv/bin/activate; then
        rm -rf .venv
        "$1" -m venv --without-pip .venv || die "'$1 -m venv' failed. On Debian: apt-get install python3-venv"
    fi
}

# No uv on the PATH: a small environment inside .venv holds one.
find_uv() {
    if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then
        echo uv
        return
    fi
    if [ ! -x .venv/bootstrap/bin/uv ]; then
        "$1" -m venv .venv/bootstrap >&2 ||
            die "'$1 -m venv' failed. On Debian: apt-get install python3-venv"
        .venv/bootstrap/bin/python -m pip install --quiet --disable-pip-version-check uv >&2 ||
            die "could not install uv. Is the package index reachable? Then again: make setup"
    fi
    echo .venv/bootstrap/bin/uv
}

python=$(find_python)
ready_venv "$python"
uv=$(find_uv "$python")
export VIRTUAL_ENV="$PWD/.venv" UV_PYTHON_DOWNLOADS=never
echo "setup: installing requirements.lock into .venv (about 6 GB; a minute, longer the first time)"
# Compiled once here, or each new process would compile torch and Lightning for itself wherever
# PYTHONDONTWRITEBYTECODE is set: 20 s of 40 in a build.
"$uv" pip sync --quiet --require-hashes --compile-bytecode requirements.lock
# hatchling is in the lock: the two builds need nothing that is not pinned.
"$uv" pip install --quiet --no-deps --no-build-isolation -e litcourse -e .
pwd >.venv/.ready
echo "setup: ready, $(.venv/bin/python --version), .venv"
