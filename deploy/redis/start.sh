#!/bin/sh
# Starts Redis with a user for each service; the arguments are those of redis-server.
#
# REDIS_PASSWORD is the password of the user `default`, who may do everything, and of each service's user for whom there
# is no variable of its own, such as REDIS_PASSWORD_EMAIL. The file of users and the command line hold none of them.
set -eu
if [ -z "${REDIS_PASSWORD:-}" ]; then
    echo "start.sh: REDIS_PASSWORD is missing; it is the password of the user default" >&2
    exit 78
fi
source=$(dirname "$0")/users.acl
if [ ! -r "$source" ]; then
    echo "start.sh: $source cannot be read; it says what each service's user may do" >&2
    exit 78
fi
users=${TMPDIR:-/tmp}/users.acl
umask 077

digest() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }

rules() {
    printf 'user default on #%s ~* &* +@all\n' "$(digest "$REDIS_PASSWORD")"
    # The separator of priorities cannot be typed, so the file has its escapes.
    sed -e '/^#/d' -e "s/\\\\x06\\\\x16/$(printf '\006\026')/g" "$source" | while read -r name rights; do
        variable=REDIS_PASSWORD_$(printf %s "$name" | tr a-z- A-Z_)
        password=$(printenv "$variable" || true)
        printf 'user %s on #%s %s\n' "$name" "$(digest "${password:-$REDIS_PASSWORD}")" "$rights"
    done
}

rules >"$users"
exec redis-server --aclfile "$users" "$@"
