#!/usr/bin/env bash
# ldsl compile, variants, fmt, ops: stages, files, diagnostics as text and JSON.
# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"

expect 0 "$ldsl" compile twice.ldsl
is_silent
for stage in ast ir llvm asm; do
    expect 0 "$ldsl" compile twice.ldsl --kernel twice_fwd --emit $stage
    in_out twice
    expect 0 "$ldsl" compile twice.ldsl --kernel twice_fwd --emit $stage -o $stage.txt
    is_silent
    holds grep -q twice $stage.txt
done
expect 0 "$ldsl" compile twice.ldsl --kernel twice_fwd --with T=bf16 --time
in_err "total"
in_out "T=bf16"
expect 0 "$ldsl" compile twice.ldsl --kernel twice_fwd -o twice.image
checks=$((checks + 1))
[ -s twice.image ] || fail "no image"
expect 0 "$ldsl" compile - --kernel twice_fwd --emit ir <twice.ldsl
expect 0 "$ldsl" compile rms_norm --kernel rms_norm_rows --emit ir
expect 0 "$ldsl" compile --list-passes
in_out "canon"

# IR goes out and comes back
expect 0 "$ldsl" compile twice.ldsl --kernel twice_fwd --stop-after elaborate -o twice.tir
expect 0 "$ldsl" compile twice.tir --from=ir --passes=canon
expect 0 "$ldsl" compile twice.tir --from=ir --passes=canon --dump
in_err "canon"
expect 2 "$ldsl" compile twice.ldsl --emit check --remarks
in_err "--remarks is for one variant"
expect 2 "$ldsl" compile twice.ldsl --kernel twice_fwd --stop-after canon --emit llvm
expect 0 "$ldsl" compile twice.ldsl --kernel twice_fwd --remarks
in_err "twice_fwd with T="
# the default, the specialization and the covers of a launch
expect 0 "$ldsl" compile rms_norm --kernel rms_norm_rows --target nvptx:sm_90a --with T=bf16,D=4096
in_out "specialize.0=1,BD=4096"
in_out "evict_last=1"
expect 0 "$ldsl" compile rms_norm --kernel rms_norm_rows --with T=bf16,D=4097
in_out "specialize.0=0,BD=5120"
for target in cuda sm_90; do
    expect 1 "$ldsl" compile rms_norm --kernel rms_norm_rows --target $target
    in_err "as in nvptx:sm_90a"
done
expect 1 "$ldsl" compile rms_norm --kernel rms_norm_rows --target nvptx:sm_100
in_err "newer GPUs run the code of sm_90"
expect 1 "$ldsl" compile twice.tir --from=ir --passes=nosuch
in_err "nosuch"

# errors: place, code, carets; all of a file; nothing written
printf 'kernel f(x: tensor<f32>[N], y: out tensor<f32>[N]) {\n  grid axis i in 0 .. N tile 64;\n  y[i] = x[i] + z;\n  y[i] = q;\n}\n' >bad.ldsl
expect 1 "$ldsl" compile bad.ldsl --kernel f -o bad.image
in_err "bad.ldsl:3:17: error[E0200]"
in_err "bad.ldsl:4:10: error[E0200]"
in_err "^"
checks=$((checks + 1))
[ ! -e bad.image ] || fail "an output appeared in spite of the error"
expect 1 "$ldsl" compile bad.ldsl --diagnostics=json
cp err diagnostics
holds python3 -c 'import json, sys
rows = [json.loads(line) for line in open("diagnostics")]
assert len(rows) >= 2 and rows[0]["code"] == "E0200" and rows[0]["line"] == 3, rows
assert rows[0]["severity"] == "error" and rows[0]["path"] == "bad.ldsl", rows'
expect 1 "$ldsl" compile none.ldsl
in_err "cannot open none.ldsl"
expect 1 "$ldsl" compile rms_nrom
in_err "did you mean 'rms_norm'?"
expect 1 "$ldsl" compile twice.ldsl --kernel thrice
in_err "thrice"
expect 1 "$ldsl" compile twice.ldsl --kernel twice_fwd --target vax
in_err "vax"
expect 1 "$ldsl" compile twice.ldsl --kernel twice_fwd --with Q=3
in_err "Q"

expect 0 "$ldsl" variants twice.ldsl
in_out "T=bf16"
expect 0 "$ldsl" variants --count rms_norm

expect 0 "$ldsl" ops --json
python 'row = [r for r in out["rows"] if r["name"] == "rms_norm"][0]
assert row["grad"] and row["summary"] and "bf16" in row["dtypes"] and row["file"], row
assert not [r for r in out["rows"] if r["name"].endswith("_ref")]'
expect 0 "$ldsl" ops rms_norm
in_out "input"
expect 0 "$ldsl" ops --file twice.ldsl --names
in_out twice
not_in_out twice_fwd

# fmt: in place, only if it must; symbolic links stay links; errors leave the file alone
expect 0 "$ldsl" fmt --check twice.ldsl
is_silent
sed '/^ *\/\//!{s/  grid/ grid/; s/ = / =  /}' twice.ldsl >messy.ldsl
ln -s messy.ldsl link.ldsl
expect 1 "$ldsl" fmt --check messy.ldsl
in_out messy.ldsl
expect 0 "$ldsl" fmt link.ldsl
holds cmp messy.ldsl twice.ldsl
holds test -L link.ldsl
expect 0 "$ldsl" fmt - <twice.ldsl
echo 'kernel (' >broken.ldsl
expect 1 "$ldsl" fmt broken.ldsl
in_err "broken.ldsl:1"
holds grep -qx 'kernel (' broken.ldsl
finish
