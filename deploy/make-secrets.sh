#!/bin/sh
# Makes the passwords of a deployment, once: `deploy/make-secrets.sh [FOLDER]`.
#
# The folder is for its owner alone. The files in it are readable by all, because containers read
# them under users of their own; nobody else gets through the folder.
set -eu

folder=${1:-"$(dirname "$0")/secrets"}
if [ -e "$folder" ]; then
  echo "$folder is there already. The servers know the passwords in it: remove it only with their data." >&2
  exit 1
fi

password() {
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

umask 077
new=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$new"' EXIT

password > "$new/postgres_password"
database=$(password)
printf '%s' "$database" > "$new/database_password"
printf 'postgresql://cpor:%s@postgres:5432/cpor' "$database" > "$new/database_url"
# The mailbox of the deployment itself, until a mail server takes its place.
printf 'unix:/run/cpor/mailbox' > "$new/smtp_url"

for user in operator claims relay projector timer notifier mailbox web upstream; do
  secret=$(password)
  printf '%s_PASSWORD: "%s"\n' "$(echo "$user" | tr '[:lower:]' '[:upper:]')" "$secret" \
    >> "$new/nats_passwords.conf"
  printf 'nats://%s:%s@nats:4222' "$user" "$secret" > "$new/nats_url_$user"
done

chmod 444 "$new"/*
mv "$new" "$folder"
trap - EXIT
echo "Made $folder."
