#!/usr/bin/env bash
# The compile cache from outside: filled by a run, used by the next, damaged, cleared.
# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"

expect 0 "$ldsl" cache list
in_out "0 entries"
expect 0 "$ldsl" run twice --file twice.ldsl 'x=[1]'
expect 0 "$ldsl" cache list
in_out twice
expect 0 "$ldsl" cache why twice_fwd
in_out "verdict  used"
expect 1 "$ldsl" cache why nosuch
expect 0 "$ldsl" cache verify

# what is cached runs where compiling is forbidden; what is not is named
expect 0 "$ldsl" run twice --file twice.ldsl 'x=[3]' --no-compile
in_out "6"
expect 1 "$ldsl" run twice --file twice.ldsl 'x=[3]' T=f16 --no-compile
in_err "T=f16"

# damage is found, reported, rebuilt
for entry in "$LDSL_CACHE"/*.ldslc; do
    printf 'damage' | dd of="$entry" bs=1 seek=200 conv=notrunc status=none
done
expect 1 "$ldsl" cache verify
in_err "damaged"
expect 0 "$ldsl" run twice --file twice.ldsl 'x=[3]'
in_out "6"
expect 0 "$ldsl" cache verify
expect 0 "$ldsl" cache clear
in_out "removed"
expect 0 "$ldsl" cache list
in_out "0 entries"

expect 0 "$ldsl" doctor
in_out "LLVM"
in_out "operators in the built-in library"
in_out "emulator of a GPU"
finish
