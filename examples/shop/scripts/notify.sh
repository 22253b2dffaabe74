#!/bin/sh
# Tells the team channel what happened.
set -e
WEBHOOK="$TEAM_WEBHOOK"
curl -fsS -X POST -H 'Content-Type: application/json' --data "{\"text\": \"$1\"}" "$WEBHOOK"
