#!/usr/bin/env bash
# Help, versions, and command lines that are wrong: exit status 2 and a way on.
# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"
# the C library's argp leaks a few bytes when it prints help; the other tests look for leaks
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

expect 0 "$ldsl" --version
in_out "ldsl 0."
in_out LLVM
expect 0 "$ldsl" --help
in_out "compile "
expect 2 "$ldsl"
expect 0 "$ldsl" help bench
in_out "Examples:"

# every command has help with an example of its own, and is in the manual and the completions
"$ldsl" help --man >manual
"$ldsl" completion bash >bash_script
"$ldsl" completion zsh >zsh_script
for command in $("$ldsl" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | sort -u); do
    case $command in ldsl) continue ;; esac
    expect 0 "$ldsl" "$command" --help
    in_out "  ldsl $command"
    holds grep -q "^.SS ldsl $command" manual
    holds grep -q "    $command) echo" bash_script
    holds grep -q "    $command) echo" zsh_script
done
holds bash -n bash_script

expect 2 "$ldsl" benhc
in_err "unknown command 'benhc'; did you mean 'bench'?"
expect 2 "$ldsl" bench --dtype bf17
in_err "unknown element type 'bf17'"
not_in_out "operator"
expect 1 "$ldsl" bench --file twice.ldsl
in_err "no operator has a bench clause"
expect 1 "$ldsl" bench rms_norm --shape R=4,D=64,K=3
in_err "rms_norm has no dim 'K'"
in_err "the dims of 'rms_norm' are R, D"
expect 1 "$ldsl" bench rms_norm swiglu --shape R=4,D=64,K=3
in_err "none of the operators has dim 'K'"
expect 1 "$ldsl" bench rms_norm csating=gemma
in_err "rms_norm has no parameter 'csating'"
expect 0 "$ldsl" bench rms_norm swiglu eps=1e-5 --shape R=4,D=64,F=32 --seconds 0.001
expect 2 "$ldsl" run twice --sede 3
in_err "did you mean '--seed'?"
expect 2 "$ldsl" run
in_err "which operator?"
expect 2 "$ldsl" run twice x
in_err "NAME=VALUE"
expect 2 "$ldsl" run twice --seed x
expect 2 "$ldsl" run twice --threads 0
expect 2 "$ldsl" compile
expect 2 "$ldsl" compile twice.ldsl --emit irr
in_err "did you mean 'ir'?"
expect 2 "$ldsl" compile twice.ldsl --emit ptx
in_err "--target"
expect 2 "$ldsl" compile twice.ldsl --kernel twice_fwd --emit image -o -
expect 2 "$ldsl" fmt
expect 2 "$ldsl" cache
expect 2 "$ldsl" cache lsit
expect 2 "$ldsl" completion fish
expect 2 "$ldsl" explain nonsense
expect 2 "$ldsl" ops --diagnostics=xml

expect 0 "$ldsl" explain E0100
in_out "E0100"
expect 0 "$ldsl" explain 100
expect 0 "$ldsl" explain
in_out "E0100  "
expect 1 "$ldsl" explain E0099

# output that cannot be written is a failure
if [ -e /dev/full ]; then
    checks=$((checks + 1))
    status=0
    "$ldsl" explain E0100 >/dev/full 2>err || status=$?
    [ $status = 3 ] || fail "writing to a full device: exit status $status"
fi
finish
