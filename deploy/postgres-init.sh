#!/bin/sh
# Run once by the postgres image, on an empty volume: cpor's role, which is no superuser.
set -eu

psql --set ON_ERROR_STOP=1 --set "password=$(cat /run/secrets/database_password)" \
  --username postgres --no-password <<'SQL'
CREATE ROLE cpor LOGIN PASSWORD :'password';
CREATE DATABASE cpor OWNER cpor;
SQL
