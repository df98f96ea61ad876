# shellcheck shell=bash disable=SC2034
# Sourced by every test of the command, which gets the path of ldsl as $1. Works in a scratch folder
# with a compile cache and tuning records of its own.

set -u
ldsl=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
exec </dev/null
export LDSL_CACHE=$scratch/cache LDSL_RECORDS=$scratch/data/tuned.records NO_COLOR=1
checks=0 failures=0

fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$*"
    [ ! -e out ] || sed 's/^/   out: /' out
    [ ! -e err ] || sed 's/^/   err: /' err
}

# expect STATUS COMMAND...: the exit status must be this; output goes to the files out and err.
expect() {
    local wanted=$1 status=0
    shift
    checks=$((checks + 1))
    "$@" >out 2>err || status=$?
    [ "$status" = "$wanted" ] || fail "exit status $status, not $wanted: $*"
}

# in_out TEXT, in_err TEXT: the last command's output holds it. is_silent: there was none.
in_out() { checks=$((checks + 1)); grep -qF -e "$1" out || fail "standard output lacks: $1"; }
in_err() { checks=$((checks + 1)); grep -qF -e "$1" err || fail "standard error lacks: $1"; }
not_in_out() { checks=$((checks + 1)); ! grep -qF -e "$1" out || fail "standard output has: $1"; }
not_in_err() { checks=$((checks + 1)); ! grep -qF -e "$1" err || fail "standard error has: $1"; }
is_silent() { checks=$((checks + 1)); [ ! -s out ] && [ ! -s err ] || fail "expected no output"; }

# holds COMMAND...: it must succeed.
holds() { checks=$((checks + 1)); "$@" >out 2>err || fail "$*"; }

# python CODE: reads out as JSON into the name `out`; assertions must hold.
python() {
    checks=$((checks + 1))
    python3 -c "import json, struct, sys
out = json.load(open('out')) if open('out').read(1) == '{' else None
$1" 2>err || fail "python: $1"
}

finish() {
    echo "$checks checks, $failures failed"
    [ "$failures" = 0 ]
}

# A file with one operator that doubles, and scales by a number.
cat >twice.ldsl <<'LDSL'
/// y = s * x.
kernel twice_fwd<T: float>(x: tensor<T>[N], y: out tensor<T>[N], s: f32) {
  grid axis i in 0 .. N tile 64;
  y[i] = T(f32(x[i]) * s);
}

/// Multiplies by a number.
op twice<T: float>(x: tensor<T>[N], s: f32 = 2.0) -> (y: tensor<T>[N]) {
  launch twice_fwd(x, y, s);
}
LDSL
