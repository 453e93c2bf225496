#!/bin/sh
# Counts up to its argument.
set -eu
i=1
while [ "$i" -le "$1" ]; do
  echo "count $i of $1"
  i=$((i + 1))
done
