#!/usr/bin/env bash
# ldsl tune: what it tries, what it survives, what it keeps, and who finds it.
# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"

# Slow by default; B = 80 is the best that is right. B = 32 reads where there is nothing, B = 48 never
# ends, B = 64 is the fastest and wrong.
cat >pick.ldsl <<'LDSL'
kernel gather(x: tensor<f32>[N], at: tensor<i64>[N], y: out tensor<f32>[N])
  tune {
    B in {16, 32, 48, 64, 80};
    where B < N;
    default { B = 16 };
  }
{
  grid axis i in 0 .. N tile B;
  var far: i64 = 0;
  if B == 32 { far = 1000000000000; }
  var sum: tile<f32>[i] = 0.0;
  if B == 48 {
    for k in 0 .. 1000000000000 { sum += x[i] * f32(k); }
  }
  if B == 16 {
    for k in 0 .. 10000 { sum += x[i] * f32(k); }
  }
  if B == 80 {
    for k in 0 .. 1000 { sum += x[i] * f32(k); }
  }
  let wrong = B == 64 ? 1.0 : 0.0;
  y[i] = x[at[i] + far] + sum * 0.0 + wrong;
}

op pick(x: tensor<f32>[N], at: tensor<i64>[N]) -> (y: tensor<f32>[N])
  key(bucket(N));
  ref pick_ref;
  sample at = randint(0, N);
  bench { N = 4096 };
{
  launch gather(x, at, y);
}

kernel gather_ref(x: tensor<f64>[N], at: tensor<i64>[N], y: out tensor<f64>[N]) {
  grid i in 0 .. N;
  y[i] = x[at[i]];
}

op pick_ref(x: tensor<f64>[N], at: tensor<i64>[N]) -> (y: tensor<f64>[N]) {
  launch gather_ref(x, at, y);
}
LDSL

expect 0 "$ldsl" tune pick --file pick.ldsl --dtype f32 --json tuned.json
in_out "gather.B=80"
in_out "2 candidates crashed or hung"
in_out "data/tuned.records"
in_err "gather.B=64 is left out: y"
not_in_err "error"
cp tuned.json out
python "row, = out['rows']
assert row['op'] == 'pick' and row['shape'] == {'N': 4096} and row['wrong'] == 1, row
assert row['tuned_us'] < row['default_us'] and row['settings'] == 'gather.B=80', row
assert row['records'][0][0:5] == ['pick', 'gather', '', '4096', 'N=4096'], row"
holds grep -q '^pick | gather | - | 4096 | N=4096 | .* | B=80 | ' data/tuned.records

# tuning again begins with the record: however little time there is, it does not get worse
expect 0 "$ldsl" tune pick --file pick.ldsl --dtype f32 --budget 0.001
in_out "gather.B=80"
holds grep -q '^pick | gather | - | 4096 | N=4096 | .* | B=80 | ' data/tuned.records

# a run finds the record: at this shape, in its bucket, not outside, not for other code
config() {
    expect 0 "$ldsl" bench pick --file "$1" --shape "N=$2" --dtype f32 --seconds 0.001 --json -
    python "assert out['rows'][0]['config'] == {'gather': 'B=$3'}, out"
}
config pick.ldsl 4096 80
config pick.ldsl 3000 80
config pick.ldsl 100 16
sed 's/sum \* 0.0/0.0 * sum/' pick.ldsl >changed.ldsl
config changed.ldsl 4096 16
expect 0 "$ldsl" bench pick --file changed.ldsl --dtype f32 --seconds 0.001
in_err "made for other code"
expect 0 "$ldsl" bench pick --file pick.ldsl --dtype f32 --seconds 0.001 --records none --json -
python "assert out['rows'][0]['config'] == {'gather': 'B=16'}, out"
expect 0 "$ldsl" doctor
in_out "data/tuned.records: 1;"

# a device that fails, of its own accord and last of all: other calls do not suffer, records are kept
cat >fault.ldsl <<'LDSL'
kernel gather(x: tensor<f32>[N], at: tensor<i64>[N], y: out tensor<f32>[N])
  tune {
    B in {32, 128};
    default { B = 32 };
  }
{
  grid axis i in 0 .. N tile B;
  let far: i64 = B == 128 ? 1000000000000 : 0;
  y[i] = x[at[i] + far];
}

op pick(x: tensor<f32>[N], at: tensor<i64>[N]) -> (y: tensor<f32>[N])
  key(bucket(N));
  sample at = randint(0, N);
  bench { N = 256 };
  bench { N = 512 };
  bench { N = 1024 };
{
  launch gather(x, at, y);
}
LDSL
expect 0 "$ldsl" tune pick --file fault.ldsl --check --all-shapes --dtype f32 --records fault.records
in_out "3 calls tuned"
in_out "3 candidates crashed or hung"
not_in_out "null"
checks=$((checks + 1))
[ "$(grep -c ' | B=32 | ' fault.records)" = 3 ] || fail "3 records: $(cat fault.records)"

# several kernels, shapes and types: one record for each kernel of each call, all in order
expect 0 "$ldsl" tune rms_norm_bwd softmax --shape R=4,D=64 --shape R=8,D=100 --dtype f32 \
    --budget 4 --records own.records
in_out "4 calls tuned"
holds sort -c -s -t'|' -k1,4 <(grep -v '^#' own.records)
checks=$((checks + 1))
[ "$(grep -vc '^#' own.records)" = 6 ] || fail "6 records: $(cat own.records)"
# again: they are replaced
expect 0 "$ldsl" tune softmax --shape R=4,D=64 --dtype f32 --budget 1 --records own.records
checks=$((checks + 1))
[ "$(grep -vc '^#' own.records)" = 6 ] || fail "still 6 records: $(cat own.records)"

# nothing is left behind but the file
checks=$((checks + 1))
[ "$(ls data)" = tuned.records ] || fail "more than the records in data: $(ls data)"

# tuning before the first use
expect 0 "$ldsl" run softmax 'x=randn(4x64,f32)' --tune --records first.records
holds grep -q '^softmax | softmax_rows | ' first.records

# what a bench measures against: the device's own copy; on a GPU our own copies too
expect 0 "$ldsl" bench softmax --device cpu --shape R=4,D=64 --dtype f32 --seconds 0.001 --json -
python 'r = out["rows"][0]; assert r["copy"] == "device" and list(r["copies_us"]) == ["device"], r'
expect 0 "$ldsl" bench softmax --device simt --shape R=3,D=63 --dtype bf16 --seconds 0.001 --json -
python 'r = out["rows"][0]
assert set(r["copies_us"]) == {"device", "clone", "clone, evict_last"}, r
assert r["copies_us"][r["copy"]] == min(r["copies_us"].values()), r
assert abs(r["copy_ratio"] * r["median_us"] / r["copies_us"][r["copy"]] - 1) < 1e-6, r
assert abs(r["copy_gbs"] * r["copies_us"][r["copy"]] * 1e3 / r["bytes"] - 1) < 1e-6, r'

# rows measured before are shown as they were
expect 2 "$ldsl" bench softmax --shape R=4,D=64 --json --seconds 0.001
in_err "--json lacks its file before --seconds"
expect 0 "$ldsl" bench softmax --shape R=4,D=64 --seconds 0.001 --json rows.json
cp out measured
expect 0 "$ldsl" bench --show rows.json
cp out shown
holds cmp shown measured
echo '{"rows": [{"op": "softmax"}]}' >rows.json
expect 1 "$ldsl" bench --show rows.json
in_err "row 1 is none of 'ldsl bench'"
expect 1 "$ldsl" bench --show /dev/null
expect 2 "$ldsl" bench softmax --show rows.json

# the chart of a bench
if command -v gnuplot >/dev/null; then
    expect 0 "$ldsl" bench softmax --shape R=4,D=64 --seconds 0.001 --plot chart.svg
    holds grep -q '</svg>' chart.svg
    holds grep -q 'softmax f32 R=4,D=64' chart.svg
else
    echo "skipped: there is no gnuplot to draw charts with"
fi

# what is wrong is told
expect 1 "$ldsl" tune sofmax
in_err "did you mean 'softmax'?"
expect 1 "$ldsl" tune softmax --records none
in_err "--records"
expect 2 "$ldsl" tune softmax --dtype f31
expect 2 "$ldsl" tune softmax --budget 0
expect 2 "$ldsl" tune softmax --jobs 0
expect 1 "$ldsl" tune twice --file twice.ldsl
in_err "has no bench clause"
expect 3 "$ldsl" tune softmax --shape R=4,D=64 --dtype f32 --records /proc/no/such
in_err "/proc/no/such"
# an operator that cannot be tuned is an error, and no reason not to tune the others
sed 's/where B < N;/where B < 0;/; s/op pick(/op broken(/; s/ref pick_ref;/ref pick_ref;/' pick.ldsl >broken.ldsl
expect 1 "$ldsl" tune --file broken.ldsl --dtype f32 --records own.records
in_err "broken f32 N=4096: not tuned: "
finish
