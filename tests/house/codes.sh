#!/bin/sh
# Every diagnostic code is reported somewhere; those of the language are pinned by a test in tests/diag.
cd "$1" || exit 1
rows=$(sed -nE 's/^CODE\(([A-Z0-9_]+), ([0-9]+),.*/\1 \2/p' compiler/support/codes.def)
[ -n "$rows" ] || { echo "no rows in codes.def" >&2; exit 1; }
twice=$(echo "$rows" | awk '{ print $2 }' | sort | uniq -d)
[ -z "$twice" ] || { echo "numbers used twice: $twice" >&2; exit 1; }
# No file can show them: 108 takes 16 MiB, 209 and 700 are about names on the command line.
exempt=' 108 209 700 '
echo "$rows" | {
    fail=0
    while read -r name number; do
        if ! grep -rqE "\bDIAG_$name\b" compiler runtime tools --include='*.[chyl]'; then
            echo "DIAG_$name is never reported" >&2
            fail=1
        fi
        code=$(printf 'E%04d' "$number")
        case $exempt in *" $number "*) continue ;; esac
        if [ "$number" -lt 800 ] && ! grep -rqF "[$code]" tests/diag; then
            echo "no file in tests/diag expects $code ($name)" >&2
            fail=1
        fi
    done
    exit $fail
}
