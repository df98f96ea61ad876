#!/bin/sh
# Prints docs/passes.md: the pass table, then what each pass file says at its top.
# usage: passes.sh SOURCE-FOLDER LDSL
root=$1
ldsl=$2
cat <<'END'
# Passes

Passes rewrite the tile IR ([ir.md](ir.md)) between elaboration and code generation. The table and the
order live in `compiler/pass/pipeline.c`; `ldsl compile --passes=canon,cse` runs others,
`--stop-after` stops early and `--dump` prints the IR after each. The verifier runs after every pass.

END
order=$(sed -n 's/^static const char \*const order\[\] = {\(.*\)};/\1/p' "$root/compiler/pass/pipeline.c" |
    tr -d '",')
echo "The order: $order."
echo
echo "| pass | what it does |"
echo "|---|---|"
"$ldsl" compile --list-passes | sed 's/^\([a-z0-9]*\) *\(.*\)$/| `\1` | \2 |/'
"$ldsl" compile --list-passes | while read -r pass _; do
    echo
    echo "## $pass"
    echo
    echo '```'
    # the comment that the file begins with, without its frame
    awk '/^\/\*/ { on = 1 } on { print } /\*\/$/ { exit }' "$root/compiler/pass/$pass.c" |
        sed -e 's|^/\* ||' -e 's|^ \* \{0,1\}||' -e 's| \*/$||'
    echo '```'
done
