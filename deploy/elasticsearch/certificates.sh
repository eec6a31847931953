#!/bin/sh
# certificates.sh FOLDER PUBLIC: an authority and a certificate a node in FOLDER, once; what others need to trust them in PUBLIC.
set -eu
folder=$1 public=$2
umask 027
cd "$folder"
export PATH="$PATH:/usr/share/elasticsearch/bin"

if [ ! -f ca/ca.crt ]; then
  rm -f ca.zip
  elasticsearch-certutil ca --silent --pem --days 3650 --out "$folder/ca.zip"
  unzip -q ca.zip
  rm ca.zip
fi
if [ ! -f es-3/es-3.crt ]; then
  rm -rf nodes.zip es-1 es-2 es-3
  {
    echo "instances:"
    for node in es-1 es-2 es-3; do
      printf -- '- name: %s\n  dns: [%s, localhost]\n  ip: ["127.0.0.1"]\n' "$node" "$node"
    done
  } > nodes.yml
  elasticsearch-certutil cert --silent --pem --days 1095 --in "$folder/nodes.yml" --ca-cert "$folder/ca/ca.crt" --ca-key "$folder/ca/ca.key" --out "$folder/nodes.zip"
  unzip -q nodes.zip
  rm nodes.zip nodes.yml
fi
[ "$(id -u)" != 0 ] || chown -R 0:0 . # nodes are of the group 0
find . -type d -exec chmod 750 {} +
find . -type f -exec chmod 640 {} +
chmod 600 ca/ca.key
cp ca/ca.crt "$public/ca.crt"
chmod 755 "$public"
chmod 644 "$public/ca.crt"
