#!/bin/sh
# Submits a task with the Mosquitto clients alone, and is sure that it was accepted once.
#
#   examples/submit.sh KEY 'a line for sh -c'
#
# The same key with the same line is the same task, however often it is sent. So this sends until there is an answer, and may
# be run again after any failure. Prints the reply. Exit status: 0 accepted, 3 refused, 4 no answer within a minute.
#
# Needs mosquitto_pub and mosquitto_sub. Address and token come from the data folder of "skein up" (SKEIN_DATA, ./.skein).
set -eu

if [ $# -ne 2 ]; then
  echo "usage: $0 KEY 'a line for sh -c'" >&2
  exit 2
fi
key=$1
line=$(printf '%s' "$2" | sed 's/\\/\\\\/g; s/"/\\"/g')

data=${SKEIN_DATA:-.skein}
address=$(sed -n 's/.*"mqtt":"mqtt:\/\/\([^"]*\)".*/\1/p' "$data/endpoints.json")
fleet=$(sed -n 's/.*"fleet":"\([^"]*\)".*/\1/p' "$data/endpoints.json")
host=${address%:*}
port=${address##*:}
subject=admin # the one that admin.token belongs to

# The clients read their options from here too. On the command line, others on this machine could see the token in ps.
umask 077
work=$(mktemp -d)
trap 'kill "$listener" 2>/dev/null || true; rm -rf "$work"' EXIT
listener=
printf -- '-h %s\n-p %s\n-u any\n-P %s\n' "$host" "$port" "$(cat "$data/admin.token")" >"$work/mosquitto_pub"
cp "$work/mosquitto_pub" "$work/mosquitto_sub"
export XDG_CONFIG_HOME="$work"

# A reply topic of our own, so that no other answer is taken for ours.
reply="skein/v1/$fleet/reply/$subject/submit-$$"
mosquitto_sub -q 1 -C 1 -W 60 -t "$reply" >"$work/reply" 2>"$work/why" &
listener=$!
sleep 0.3 # its subscription should come first; if it is late, a repetition is answered

tries=0
until [ -s "$work/reply" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 30 ]; then
    cat "$work/why" >&2
    echo "$0: no answer within a minute" >&2
    exit 4
  fi
  # -q 1: with the hub, status 0 means that the controller has stored the task or has refused it.
  mosquitto_pub -q 1 -t "skein/v1/$fleet/request/$subject/task/submit" \
    -m "{\"idempotency_key\":\"$key\",\"reply_to\":\"$reply\",\"payload\":{\"command\":\"$line\"}}" 2>"$work/why" || true
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -s "$work/reply" ] && break
    sleep 0.2
  done
  # One that could not connect has ended.
  if [ ! -s "$work/reply" ] && ! kill -0 "$listener" 2>/dev/null; then
    mosquitto_sub -q 1 -C 1 -W 60 -t "$reply" >"$work/reply" 2>"$work/why" &
    listener=$!
  fi
done

cat "$work/reply"
case $(cat "$work/reply") in
  *'"ok":true'*) exit 0 ;;
  *) exit 3 ;;
esac
