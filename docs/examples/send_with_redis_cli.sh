#!/bin/sh
# Sends a task and prints what is stored about it when it has ended, with nothing but redis-cli and a shell.
#
#   export REDISCLI_AUTH=password
#   sh send_with_redis_cli.sh app.tasks.email.send_email '{"to": "ada@example.com", "subject": "Hello", "body": "Hi"}'
#
# REDIS_CLI is the command with all that says which server: "redis-cli -h redis", "docker compose exec -T redis redis-cli".
set -eu
name=$1
payload=$2
cli=${REDIS_CLI:-redis-cli}

queue=$(echo "$name" | cut -d. -f3) # app.tasks.email.send_email goes to the list "email"
id=$(cat /proc/sys/kernel/random/uuid)
body=$(printf '[[], %s, {}]' "$payload" | base64 | tr -d '\n')
headers=$(printf '{"lang": "sh", "task": "%s", "id": "%s", "x-published-at": %s}' "$name" "$id" "$(date +%s)")
properties=$(printf '{"delivery_tag": "%s", "body_encoding": "base64"}' "$id")

printf '{"body": "%s", "content-encoding": "utf-8", "content-type": "application/json", "headers": %s, "properties": %s}' \
    "$body" "$headers" "$properties" | $cli -n 0 -x LPUSH "$queue" >/dev/null

for _ in $(seq 200); do # results are in the next database, under the task's id
    result=$($cli -n 1 GET "celery-task-meta-$id")
    case $result in
        *'"status": "SUCCESS"'*) printf '%s\n' "$result" && exit 0 ;;
        *'"status": "FAILURE"'* | *'"status": "REVOKED"'*) printf '%s\n' "$result" >&2 && exit 1 ;;
    esac
    sleep 0.1
done
echo "$id has not finished" >&2
exit 1
