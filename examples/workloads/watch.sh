#!/bin/sh
# Says again and again whether the name of a host can be found.
set -eu
while :; do
  if getent hosts "$1" >/dev/null; then echo "$SITE: $1 is known"; else echo "$SITE: $1 is not known"; fi
  sleep "$2"
done
