#!/bin/sh
# Git keeps nothing at the top level but what is listed here, and no generated code anywhere.
# Without git there is nothing to look at (a tree from an archive).
cd "$1" || exit 1
git rev-parse --git-dir >/dev/null 2>&1 || { echo "no git here: skipped"; exit 0; }
fail=0

known='\.ci|\.clang-format|\.clang-tidy|\.gitignore|CMakeLists\.txt|LICENSE|README\.md|compiler|docs|include|kernels\.ldsl|runtime|tests|tools'
strays=$(git ls-files | sed 's,/.*,,' | sort -u | grep -vxE "$known")
[ -z "$strays" ] || { printf 'these have no place at the top level:\n%s\n' "$strays" >&2; fail=1; }

generated=$(git ls-files | grep -E '\.(ptx|cubin|fatbin|ll|bc|s|o|a|so|pyc|log|ncu-rep)$')
[ -z "$generated" ] || { printf 'these are generated:\n%s\n' "$generated" >&2; fail=1; }
exit $fail
