#!/bin/sh
# Includes follow tools/layers.txt.
exec sh "$1/tools/check-layers.sh" "$1"
