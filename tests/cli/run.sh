#!/usr/bin/env bash
# ldsl run: values of all kinds, files in and out, what is refused and that nothing is left behind.
# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"

expect 0 "$ldsl" run twice --file twice.ldsl 'x=[1, 2, 3.5]' --json
python 'r = out["rows"][0]
assert r["name"] == "y" and r["dtype"] == "f32" and r["shape"] == [3], r
assert r["first"] == [2.0, 4.0, 7.0] and r["min"] == 2 and r["max"] == 7 and r["nan"] == 0, r
assert out["device"] == "cpu"'
expect 0 "$ldsl" run twice --file twice.ldsl 'x=[1, 2]' s=-0.5 --json
python 'assert out["rows"][0]["first"] == [-0.5, -1.0]'
expect 0 "$ldsl" run twice --file twice.ldsl 'x=[1, 2]' T=bf16
in_out "y: bf16[2]"
in_out "2, 4"
expect 0 "$ldsl" run twice --file twice.ldsl 'x=zeros(0)'
in_out "y: f32[0]"

# random fills: the seed decides, and only the seed
for file in a b; do
    expect 0 "$ldsl" run twice --file twice.ldsl 'x=randn(1000,bf16)' --seed 7 -o y=$file.safetensors
done
holds cmp a.safetensors b.safetensors
expect 0 "$ldsl" run twice --file twice.ldsl 'x=randn(1000,bf16)' --seed 8 -o y=b.safetensors
checks=$((checks + 1))
! cmp -s a.safetensors b.safetensors || fail "another seed gave the same values"

# .npy written by other hands, read and written by us
python3 - <<'PYTHON'
import struct
def npy(path, descr, shape, data):
    header = repr({"descr": descr, "fortran_order": False, "shape": shape})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    open(path, "wb").write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + data)
npy("x.npy", "<f4", (5,), struct.pack("<5f", 0, 1, -2, 1e30, float("nan")))
npy("half.npy", "<f2", (3,), struct.pack("<3e", 1, 0.1, 60000))
header = b'{"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},"v":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'
open("m.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + b"\x80\x3f\x00\x40" + struct.pack("<f", 3))
PYTHON
expect 0 "$ldsl" run twice --file twice.ldsl x=@x.npy -o y=y.npy
in_out "NaN 1"
python 'd = open("y.npy", "rb").read()
n = struct.unpack("<H", d[8:10])[0]
h = eval(d[10:10 + n])
assert h == {"descr": "<f4", "fortran_order": False, "shape": (5,)}, h
v = struct.unpack("<5f", d[10 + n:])
x = struct.unpack("<5f", open("x.npy", "rb").read()[-20:])
assert v[:3] == (0, 2, -4) and v[3] == 2 * x[3] and v[4] != v[4], v'
expect 0 "$ldsl" run twice --file twice.ldsl x=@half.npy -o y=half2.npy
in_out "y: f16[3]"
python 'v = struct.unpack("<3e", open("half2.npy", "rb").read()[-6:])
assert v[:2] == (2, struct.unpack("<e", struct.pack("<e", 0.1))[0] * 2) and v[2] == float("inf"), v'
expect 0 "$ldsl" run twice --file twice.ldsl x=@m.safetensors:w -o y=w.safetensors
python 'd = open("w.safetensors", "rb").read()
n = struct.unpack("<Q", d[:8])[0]
h = json.loads(d[8:8 + n])
assert h == {"y": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}, h
assert d[8 + n:] == b"\x00\x40\x80\x40"
assert (8 + n) % 64 == 0'
expect 0 "$ldsl" run twice --file twice.ldsl x=@w.safetensors:y
in_out "4, 8"

# what is wrong is said, with the name and a way on
expect 1 "$ldsl" run twcie --file twice.ldsl 'x=[1]'
in_err "did you mean 'twice'?"
expect 1 "$ldsl" run twice 'x=[1]'
in_err "found with --file"
expect 1 "$ldsl" run twice --file twice.ldsl 'z=[1]'
in_err "twice has no parameter 'z'"
in_err "twice has x s y"
expect 1 "$ldsl" run twice --file twice.ldsl 'y=[1]'
in_err "is a result"
expect 1 "$ldsl" run twice --file twice.ldsl
in_err "x"
expect 1 "$ldsl" run twice --file twice.ldsl 'x=[1]' 'x=[2]'
in_err "given twice"
# what an operator gives is written whole: the tests of a kernel, and the emulator, see that
cat >part.ldsl <<'LDSL'
kernel part(x: tensor<f32>[R, D],
            y: out tensor<f32>[R, D])
{
  grid r in 0 .. R;
  axis c in 0 .. D tile 16;
  sweep c { if r != 2 { y[r, c] = 2.0 * x[r, c]; } }
}

op partial(x: tensor<f32>[R, D]) -> (y: tensor<f32>[R, D]) {
  launch part(x, y);
}
LDSL
expect 0 "$ldsl" run partial --file part.ldsl 'x=ones(2x3)' --device cpu --check
expect 0 "$ldsl" run partial --file part.ldsl 'x=ones(2x3)' --device simt
expect 3 "$ldsl" run partial --file part.ldsl 'x=ones(4x3)' --device cpu --check
in_err "part.ldsl:2:1: error: y[2, 0] is never written, but an"
expect 3 "$ldsl" run partial --file part.ldsl 'x=ones(4x3)' --device simt
in_err "y[2, 0] is never written, but an"
expect 1 "$ldsl" run twice --file twice.ldsl 'x=[1, 2]' --records none.records
in_err "cannot open none.records"
expect 0 "$ldsl" run twice --file twice.ldsl 'x=[inf, -inf, nan]'
in_out "inf, -inf, nan"
for bad in 1e400 1e39 -1e39 infinite; do
    expect 1 "$ldsl" run twice --file twice.ldsl 'x=[1, 2]' s=$bad
    in_err "a number is needed, of f32"
done
expect 0 "$ldsl" run twice --file twice.ldsl 'x=[1, 2]' s=-inf
expect 1 "$ldsl" run twice --file twice.ldsl 'x=[[1, 2], [3]]'
in_err "equally long"
cat >pick.ldsl <<'LDSL'
kernel pick_fwd(x: tensor<f32>[N], i: tensor<i32>[N], y: out tensor<f32>[N]) {
  grid axis n in 0 .. N tile 64;
  y[n] = x[i[n]];
}
/// y[n] = x[i[n]].
op pick(x: tensor<f32>[N], i: tensor<i32>[N]) -> (y: tensor<f32>[N]) { launch pick_fwd(x, i, y); }
LDSL
expect 0 "$ldsl" run pick --file pick.ldsl 'x=[5, 7]' 'i=[1, 0.0]'
in_out "7, 5"
for bad in 0.5 1e3000 2147483648 -2147483649; do
    expect 1 "$ldsl" run pick --file pick.ldsl 'x=[5, 7]' "i=[1, $bad]"
done
in_err "-2147483649 is no i32"
expect 1 "$ldsl" run twice --file twice.ldsl 'x=randn(4,8,bf16)'
in_err "no such dtype: '8'"
expect 1 "$ldsl" run twice --file twice.ldsl 'x=zeros(999999999999999)'
in_err "3999999999999996 bytes"
not_in_err "help"
expect 1 "$ldsl" run twice --file twice.ldsl 'x=[[1, 2], [3, 4]]'
in_err "x"
expect 1 "$ldsl" run twice --file twice.ldsl 'x=[1]' s=abc
in_err "a number is needed"
for bad in 'randn(' 'randn()x' 'randn(4,q8)' 'randn(4x)' 'rand(4)' 'randint(4)' 'full(4)' '7' '@x.txt'; do
    expect 1 "$ldsl" run twice --file twice.ldsl "x=$bad"
    in_err "x"
done
expect 1 "$ldsl" run twice --file twice.ldsl x=@none.npy
in_err "none.npy: No such file"
expect 1 "$ldsl" run twice --file twice.ldsl x=@m.safetensors
in_err "name one of its 2 tensors"
expect 1 "$ldsl" run twice --file twice.ldsl x=@m.safetensors:q
in_err "it has w, v"
head -c 70 x.npy >short.npy
expect 1 "$ldsl" run twice --file twice.ldsl x=@short.npy
in_err "truncated"
expect 1 "$ldsl" run twice --file none.ldsl 'x=[1]'
in_err "cannot open none.ldsl"
expect 1 "$ldsl" run twice --file twice.ldsl 'x=[1]' -o z=z.npy
in_err "no result 'z'"
expect 1 "$ldsl" run twice --file twice.ldsl 'x=[1]' -o y=y.txt
in_err ".npy or .safetensors"
expect 3 "$ldsl" run twice --file twice.ldsl 'x=[1]' --device cuda:99
expect 3 "$ldsl" run twice --file twice.ldsl 'x=[1]' -o y=no/such/folder/y.npy
in_err "No such file or directory"

# nothing partial is left behind
echo precious >kept.npy
chmod 640 kept.npy
expect 1 "$ldsl" run twice --file twice.ldsl 'x=[[1]]' -o y=kept.npy
holds grep -qx precious kept.npy
expect 0 "$ldsl" run twice --file twice.ldsl 'x=[1]' -o y=kept.npy
checks=$((checks + 1))
[ "$(stat -c %a kept.npy)" = 640 ] || fail "the mode of a replaced file changed"
checks=$((checks + 1))
[ -z "$(find . -name '*.tmp.*' -not -path './cache/*')" ] || fail "temporary files were left"
finish
