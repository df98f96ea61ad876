#!/bin/sh
# The operators are laid out by ldsl fmt.
find "$1/kernels.ldsl" -type f -name '*.ldsl' -exec "$2" fmt --check {} +
