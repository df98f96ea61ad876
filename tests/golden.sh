#!/bin/sh
# Runs one golden file: golden.sh FILE TOOLS... where TOOLS are folders put first in PATH.
# The first line says how: "// run: ldsl compile --from=ir --passes=cse %s | FileCheck %s". %s is the
# file. Fails if any command of the pipe fails; `not` (LLVM's) expects a failure.
file=$1
shift
for folder in "$@"; do
    PATH=$folder:$PATH
done
export PATH
line=$(sed -n '1s|^// run: ||p' "$file")
if [ -z "$line" ]; then
    echo "$file: the first line must be \"// run: ...\"" >&2
    exit 1
fi
command -v bash >/dev/null && shell='bash -o pipefail' || shell=sh
$shell -c "$(printf '%s\n' "$line" | sed "s|%s|'$file'|g")"
