#!/bin/sh
# Every row of ops.def has its golden file and its entry in docs/ir.md, and neither has more.
root=$1
rows=$(sed -n 's/^OP(\([a-z0-9_]*\),.*/\1/p' "$root/compiler/ir/ops.def" | sort)
files=$(ls "$root/tests/ir/ops" | sed 's/\.tir$//' | sort)
entries=$(sed -n '/^## Ops/,$s/^| `\([a-z0-9_]*\)` |.*/\1/p' "$root/docs/ir.md" | sort)
fail=0
compare() {
    if [ "$2" != "$3" ]; then
        echo "ops.def and $1 name different ops:" >&2
        printf '%s\n%s\n' "$2" "$3" | sort | uniq -u >&2
        fail=1
    fi
}
[ -n "$rows" ] || { echo "no rows in ops.def" >&2; exit 1; }
compare tests/ir/ops "$rows" "$files"
compare docs/ir.md "$rows" "$entries"
# The meaning is said once, in ops.def; the page repeats it.
sed -n 's/^OP(\([a-z0-9_]*\),.*, *"\(.*\)") *$/\1|\2/p' "$root/compiler/ir/ops.def" |
while IFS='|' read -r op meaning; do
    grep -qF "| \`$op\` | $meaning |" "$root/docs/ir.md" ||
        { echo "docs/ir.md: the meaning of $op differs from ops.def" >&2; echo bad; }
done | grep -q bad && fail=1
exit $fail
