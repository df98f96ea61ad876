#!/bin/sh
# What belongs together is there together: operators and their references, tests and what they test,
# targets and their golden files. (IR ops and passes: ops.sh, passes.sh.)
root=$1
cd "$root" || exit 1
fail=0
complain() {
    echo "$*" >&2
    fail=1
}

# An operator says what it is compared with and how large it is in a model, unless it is a reference.
for file in kernels.ldsl/*/*.ldsl; do
    for op in $(awk '
        /^op / {
            if (op) print op
            op = $2
            sub(/[<(].*/, "", op)
            if (op ~ /_ref$/) op = ""
        }
        /^  ref [a-z0-9_]+;/ { op = "" }
        END { if (op) print op }' "$file"); do
        complain "$file: operator $op has no ref"
    done
    if grep -q '^  ref ' "$file" && ! grep -q '^  bench {' "$file"; then
        complain "$file: no operator has a bench"
    fi
done

# A test of an operator, a page's blocks or a folder of golden files tests something that exists.
for test in tests/ops/*.c; do
    name=$(basename "$test" .c)
    ls kernels.ldsl/*/"$name".ldsl >/dev/null 2>&1 || complain "$test: no operator file $name.ldsl"
done
for folder in tests/unit/*/; do
    name=$(basename "$folder")
    case $name in runtime | jit | tensor) continue ;; esac # libraries outside the compiler
    [ -d "compiler/$name" ] || [ -e "compiler/$name.c" ] ||
        complain "$folder: no folder compiler/$name"
done
for folder in compiler/target/*/; do
    name=$(basename "$folder")
    ls tests/codegen/"$name"/* >/dev/null 2>&1 || complain "$folder: tests/codegen/$name has no files"
done
for picture in tests/diag/*/*.expect; do
    [ -e "${picture%.expect}.ldsl" ] || complain "$picture: no .ldsl file beside it"
done
for harness in tests/fuzz/fuzz_*.c; do
    name=$(basename "$harness" .c)
    grep -q "^ldsl_fuzzer(${name#fuzz_} " tests/CMakeLists.txt || complain "$harness: no test replays it"
done
exit $fail
