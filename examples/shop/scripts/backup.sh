#!/bin/sh
# Nightly dump of the orders.
set -e
pg_dump "$DATABASE_URL" | gzip > /backup/orders.sql.gz
chmod 777 /backup/orders.sql.gz
