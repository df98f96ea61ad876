#!/bin/sh
# Every file of the library passes the check that anyone runs on a file: `ldsl compile FILE`.
root=$1
ldsl=$2
fail=0
for file in "$root"/kernels.ldsl/*.ldsl "$root"/kernels.ldsl/*/*.ldsl; do
    "$ldsl" compile "$file" >/dev/null || fail=1
done
exit $fail
