#!/bin/sh
# Operators on emulated GPUs without clusters and with less shared memory: a few of their cases, and rows
# wider than a block there can hold.
ldsl=$1
fail=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$ldsl" test --device simt:86 --cases 4 >"$out" 2>&1 || fail=1
for op in rms_norm rms_norm_bwd layer_norm layer_norm_bwd fused_add_rms_norm fused_add_rms_norm_bwd softmax softmax_bwd; do
    for columns in 2001 16384 16383 20000; do
        "$ldsl" test $op --device simt:86 --shape R=2,D=$columns --dtype f32 >>"$out" 2>&1 || fail=1
    done
done
for op in cross_entropy_rows cross_entropy_rows_bwd; do
    "$ldsl" test $op --device simt:80 --shape N=2,V=70001 --dtype bf16 >>"$out" 2>&1 || fail=1
done
grep -v ' 0 failed ' "$out"
exit $fail
