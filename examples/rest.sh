#!/bin/sh
# Submits a task over REST with curl, waits until it has ended, and prints its log as JSON.
#
#   examples/rest.sh [KEY]
#
# Needs curl. Address and token come from the data folder of "skein up" (SKEIN_DATA, ./.skein).
set -eu

key=${1:-rest-$(date +%s)-$$}
data=${SKEIN_DATA:-.skein}
api=$(sed -n 's/.*"api":"\([^"]*\)".*/\1/p' "$data/endpoints.json")/api/v1

# curl reads the header from its standard input: on the command line, others on this machine could see the token in ps.
ask() {
  printf 'header = "authorization: Bearer %s"\n' "$(cat "$data/admin.token")" | curl -sS --config - "$@"
}
field() { # the first field of that name; use jq for more than this
  grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4
}

# A GET without a body lists, a POST submits: 201 for a new task, 200 for the same key and body once more.
task=$(ask "$api/tasks" --retry 5 --retry-connrefused --data "{
  \"idempotency_key\": \"$key\",
  \"type\": \"test\",
  \"payload\": { \"command\": [\"sh\", \"-c\", \"echo hello from REST; echo a warning >&2\"] }
}")
id=$(printf '%s' "$task" | field task_id)
if [ -z "$id" ]; then
  echo "refused: $task" >&2
  exit 3
fi
echo "task $id"

state=queued
while [ "$state" = queued ] || [ "$state" = active ]; do
  sleep 0.2
  state=$(ask "$api/tasks/$id" --retry 5 --retry-connrefused | field state)
done
echo "state $state"

# Results overtake output: "complete" is true when nothing of the log is still to come.
log=
until printf '%s' "$log" | grep -q '"complete":true'; do
  [ -z "$log" ] || sleep 0.2
  log=$(ask "$api/tasks/$id/logs" --retry 5 --retry-connrefused)
done
echo "log $log"
[ "$state" = succeeded ]
