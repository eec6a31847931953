#!/bin/sh
# accounts.sh URL CA: the users of Balefire, each with the role of its name (roles.yml), and the password of Kibana's own; passwords come from the
# environment. Again, it sets them anew.
set -eu
url=$1 authority=$2

# ask METHOD PATH BODY: what curl has to keep to itself comes on its standard input, for all may read its arguments
ask() {
  printf 'user = "elastic:%s"\ndata = "%s"\n' "$ELASTIC_PASSWORD" "$(printf '%s' "$3" | sed 's/"/\\"/g')" |
    curl --silent --show-error --fail --config - --cacert "$authority" --request "$1" --header 'Content-Type: application/json' "$url$2"
  echo
}

for name in ELASTIC KIBANA BALEFIRE_ADMIN BALEFIRE_WRITER BALEFIRE_ANALYST; do
  eval "password=\${${name}_PASSWORD:-}"
  case "$password" in
    '' | *[!A-Za-z0-9._~-]*)
      echo "${name}_PASSWORD has to be of letters, digits and . _ ~ - (deploy/.env)" >&2
      exit 2
      ;;
  esac
done
ask POST /_security/user/kibana_system/_password "{\"password\":\"$KIBANA_PASSWORD\"}"
ask PUT /_security/user/balefire_admin "{\"password\":\"$BALEFIRE_ADMIN_PASSWORD\",\"roles\":[\"balefire_admin\"]}"
ask PUT /_security/user/balefire_writer "{\"password\":\"$BALEFIRE_WRITER_PASSWORD\",\"roles\":[\"balefire_writer\"]}"
ask PUT /_security/user/balefire_analyst "{\"password\":\"$BALEFIRE_ANALYST_PASSWORD\",\"roles\":[\"balefire_analyst\"]}"
