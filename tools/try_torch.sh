#!/usr/bin/env bash
# Try another torch, as students get it: release/requirements.txt with that torch, every lab solved there.
#     tools/try_torch.sh 2.6.0            # the newest: tools/try_torch.sh newest
#     PYTHON=python3.13 tools/try_torch.sh 2.8.0
# Run it for each row of the table in docs/versions.md before a release. It takes some minutes and 6 GB of
# disk a version, and writes to a temporary folder (TRY_TORCH=FOLDER keeps it) and to the caches of uv and pip.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

die() { printf 'try_torch: %s\n' "$*" >&2; exit 2; }

[ $# -eq 1 ] || die "usage: tools/try_torch.sh VERSION, such as 2.6.0, or newest"
[ -x .venv/bin/autograder ] || die "no .venv here. Next: make setup"
version=$1
python=${PYTHON:-$(.venv/bin/python -c 'import sys; print(sys.base_prefix + "/bin/python3")')}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    die "PYTHON=$python is no Python 3.11 or newer"

if [ -n "${TRY_TORCH:-}" ]; then
    mkdir -p "$TRY_TORCH"
    folder=$(cd "$TRY_TORCH" && pwd)
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi

# The students' files, wheel included, from the sources of now. release/ of the checkout stays as it is.
.venv/bin/autograder build --out "$folder/course" >"$folder/build.log" 2>&1 ||
    { tail -5 "$folder/build.log" >&2; die "the labs do not build"; }
.venv/bin/python tools/solve_labs.py write "$folder/solved"

PATH=${PATH#"$PWD/.venv/bin:"}
if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then uv=uv; else uv=$root/.venv/bootstrap/bin/uv; fi
[ "$uv" = uv ] || [ -x "$uv" ] || die "no uv. Next: make setup"
export UV_PYTHON_DOWNLOADS=never
[ -x "$folder/venv/bin/python" ] || "$uv" venv --quiet --python "$python" "$folder/venv"
wanted=torch
[ "$version" = newest ] || wanted="torch==$version"
(cd "$folder/course/release" &&
    VIRTUAL_ENV="$folder/venv" "$uv" pip install --quiet --compile-bytecode \
        --reinstall-package litcourse -r requirements.txt "$wanted") ||
    die "release/requirements.txt can't be installed with $wanted"

cd "$folder/solved"
env -u LITCOURSE_DATA PATH="$folder/venv/bin:$PATH" "$folder/venv/bin/python" "$root/tools/solve_labs.py" run .
