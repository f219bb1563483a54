#!/bin/sh
# Fills alertmanager.yml from the environment and starts Alertmanager with it; arguments are passed on. Secrets go into
# files that only this user can read, and never into the configuration.
#
#   SLACK_API_URL    the incoming webhook; without it nothing goes to Slack
#   SLACK_CHANNEL    default #alerts
#   SMTP_SMARTHOST   host:port; without it no e-mail is sent
#   SMTP_FROM SMTP_TO                 required with SMTP_SMARTHOST
#   SMTP_USERNAME SMTP_PASSWORD       where the host wants them; SMTP_REQUIRE_TLS=false where it has no TLS
#   WEBHOOK_URL      whatever else wants to know
#
# SLACK_API_URL_FILE and SMTP_PASSWORD_FILE name files to take those from instead, as Docker's secrets are.
set -eu
umask 077

here=$(cd "$(dirname "$0")" && pwd)
target=${ALERTMANAGER_CONFIG_DIR:-/tmp/alertmanager}
mkdir -p "$target"

[ -z "${SLACK_API_URL_FILE:-}" ] || SLACK_API_URL=$(cat "$SLACK_API_URL_FILE")
[ -z "${SMTP_PASSWORD_FILE:-}" ] || SMTP_PASSWORD=$(cat "$SMTP_PASSWORD_FILE")
if [ -n "${SMTP_SMARTHOST:-}" ]; then
  : "${SMTP_FROM:?is needed with SMTP_SMARTHOST}" "${SMTP_TO:?is needed with SMTP_SMARTHOST}"
fi
if [ -n "${SMTP_USERNAME:-}" ]; then
  : "${SMTP_SMARTHOST:?is needed with SMTP_USERNAME}" "${SMTP_PASSWORD:?is needed with SMTP_USERNAME}"
fi
printf '%s' "${SLACK_API_URL:-}" >"$target/slack_api_url"
printf '%s' "${SMTP_PASSWORD:-}" >"$target/smtp_password"

# A value as a quoted YAML scalar, safe in the replacement of sed's s|…|…|.
quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/''/g; s/[\\\\|&]/\\\\&/g")"; }

program=''
for name in SLACK_API_URL SMTP_SMARTHOST SMTP_USERNAME WEBHOOK_URL; do
  eval "value=\${$name:-}"
  [ -n "$value" ] || program="$program
/# if $name\$/,/# end\$/d"
done
program="$program
/^ *# if [A-Z_]*\$/d
/^ *# end\$/d
s|\${SECRETS}/\\(.*\\)|'$target/\\1'|
s|\${SMTP_REQUIRE_TLS}|${SMTP_REQUIRE_TLS:-true}|
s|\${SLACK_CHANNEL}|$(quoted "${SLACK_CHANNEL:-#alerts}")|
s|\${SMTP_SMARTHOST}|$(quoted "${SMTP_SMARTHOST:-}")|
s|\${SMTP_FROM}|$(quoted "${SMTP_FROM:-}")|
s|\${SMTP_TO}|$(quoted "${SMTP_TO:-}")|
s|\${SMTP_USERNAME}|$(quoted "${SMTP_USERNAME:-}")|
s|\${WEBHOOK_URL}|$(quoted "${WEBHOOK_URL:-}")|"
sed "1,2d
$program" "$here/alertmanager.yml" >"$target/alertmanager.yml"

exec "${ALERTMANAGER:-/bin/alertmanager}" "--config.file=$target/alertmanager.yml" "$@"
