#!/usr/bin/env bash
# ldsl test: model-sized calls, and what it says of options that do not fit.
# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"

# wrong in one row only: the last, which must be among those that are looked at
cat >rows.ldsl <<'LDSL'
kernel scale(x: tensor<f32>[R, D], y: out tensor<f32>[R, D])
{
  grid r in 0 .. R;
  axis c in 0 .. D tile 64;
  let wrong = r == 60000 ? 1.0 : 0.0;
  sweep c { y[r, c] = 2.0 * x[r, c] + wrong; }
}

op scaled(x: tensor<f32>[R, D]) -> (y: tensor<f32>[R, D])
  ref scaled_ref;
  bench { R = 1000, D = 64 };
  bench { R = 60000, D = 128 };
{
  launch scale(x, y);
}

kernel scale_ref(x: tensor<f64>[R, D], y: out tensor<f64>[R, D]) {
  grid r in 0 .. R;
  axis c in 0 .. D tile 64;
  sweep c { y[r, c] = 2.0 * x[r, c]; }
}

op scaled_ref(x: tensor<f64>[R, D]) -> (y: tensor<f64>[R, D]) {
  launch scale_ref(x, y);
}

kernel columns(x: tensor<f32>[R, D], s: out tensor<f32>[D])
{
  grid c in 0 .. D;
  var sum: f64 = 0.0;
  for r in 0 .. R { sum += f64(x[r, c]); }
  s[c] = f32(sum);
}

op summed(x: tensor<f32>[R, D]) -> (s: tensor<f32>[D])
  ref summed_ref;
{
  launch columns(x, s);
}

kernel columns_ref(x: tensor<f64>[R, D], s: out tensor<f64>[D])
{
  grid c in 0 .. D;
  var sum: f64 = 0.0;
  for r in 0 .. R { sum += x[r, c]; }
  s[c] = sum;
}

op summed_ref(x: tensor<f64>[R, D]) -> (s: tensor<f64>[D]) {
  launch columns_ref(x, s);
}

kernel share(x: tensor<f32>[R, D], y: out tensor<f32>[R, D]) {
  grid r in 0 .. R;
  axis c in 0 .. D tile 64;
  sweep c { y[r, c] = x[r, c] / f32(R * D); }
}

op shared(x: tensor<f32>[R, D]) -> (y: tensor<f32>[R, D])
  ref shared_ref;
{
  launch share(x, y);
}

kernel share_ref(x: tensor<f64>[R, D], y: out tensor<f64>[R, D]) {
  grid r in 0 .. R;
  axis c in 0 .. D tile 64;
  sweep c { y[r, c] = x[r, c] / f64(R * D); }
}

kernel miss(x: tensor<f32>[R, D], y: out tensor<f32>[R, D])
{
  grid r in 0 .. R;
  axis c in 0 .. D tile 64;
  sweep c { y[r, c] = x[r, c] + (r == 2 && c == 5 ? 1.0 : 0.0); }
}

op off(x: tensor<f32>[R, D]) -> (y: tensor<f32>[R, D])
  ref off_ref;
{
  launch miss(x, y);
}

kernel off_ref_rows(x: tensor<f64>[R, D], y: out tensor<f64>[R, D]) {
  grid r in 0 .. R;
  axis c in 0 .. D tile 64;
  sweep c { y[r, c] = x[r, c]; }
}

op off_ref(x: tensor<f64>[R, D]) -> (y: tensor<f64>[R, D]) {
  launch off_ref_rows(x, y);
}

op shared_ref(x: tensor<f64>[R, D]) -> (y: tensor<f64>[R, D]) {
  launch share_ref(x, y);
}
LDSL

expect 0 "$ldsl" test scaled --file rows.ldsl --large --dtype f32 -v
in_out "R=1000 D=64  error"
in_out "R=60000 D=128 (256 of R=60000)"
# checks change no sums
expect 0 "$ldsl" test layer_norm --device cpu --check --case 'R=17 D=4096'
in_out "0 failed"
# nothing run is nothing passed
expect 1 "$ldsl" test scaled_ref --file rows.ldsl --shape R=8,D=16
in_err "operator 'scaled_ref' has no reference"
expect 1 "$ldsl" test softmax --shape R=8,D=16 --dtype f64
in_err "no model-sized call was tested"
expect 2 "$ldsl" test scaled --file rows.ldsl --cases 0
expect 2 "$ldsl" test scaled --file rows.ldsl --cases -3
# a failure says which element, and how to see it again
expect 1 "$ldsl" test off --file rows.ldsl --seed 7
in_out "y[2, 5] is"
in_out "again: ldsl test off --file rows.ldsl --seed 7 --case '"
again=$(sed -n "s/.*again: ldsl test \(.*\) --case '\(.*\)'/\2/p" out | head -1)
expect 1 "$ldsl" test off --file rows.ldsl --seed 7 --case "$again"
in_out "FAILED off: $again"
expect 1 "$ldsl" test scaled --file rows.ldsl --shape R=60001,D=128 --dtype f32
in_out "(256 of R=60001)"
in_out "1 failed"
# a small call is compared whole; sums of columns are by columns
expect 0 "$ldsl" test summed --file rows.ldsl --shape R=1000,D=64 --shape R=50000,D=100 --dtype f32 -v
in_out "R=1000 D=64  error"
in_out "R=50000 D=100 (20 of D=100)  error"
# by rows, but results depend on how many there are
expect 0 "$ldsl" test shared --file rows.ldsl --shape R=60000,D=128 --shape R=600000,D=128 --dtype f32 -v
in_out "R=60000 D=128  error"
in_out "R=600000 D=128 (with fewer rows)  error"
# rows of an inner dim, and of one that is first here and last there
expect 0 "$ldsl" test transpose --shape R=3000,C=2000 --dtype bf16 -v
in_out "R=3000 C=2000 (256 of R=3000)  error"
expect 0 "$ldsl" test rope --shape B=1,S=5000,Hq=8,Hk=2,P=64,N=1 --dtype bf16 -v
in_out "N=1 (256 of S=5000)  error"
# not by columns, whose reference is NaN where targets lie beyond those taken; nor by rows, of which there is a mean
expect 0 "$ldsl" test cross_entropy_bwd --shape N=513,V=8192 --dtype bf16 -v
in_out "N=513 V=8192  error"

expect 1 "$ldsl" test softmax --device cpu --case 'no such words'
in_err "no case's description contains 'no such words'"
expect 1 "$ldsl" test softmax --device cpu --graph
in_err "--graph needs a GPU"
expect 2 "$ldsl" test softmax --device cpu --graph --large
expect 2 "$ldsl" test softmax --large --dtype f31
finish
