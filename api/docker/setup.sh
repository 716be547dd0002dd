#!/usr/bin/env bash
# setup.sh certificates: a private CA in /ca, its certificate in /trust, and a certificate and key each for bulla and card-api in /tls.
# setup.sh prepare: waits for Bulla, initialises it once (root token and recovery key: /operator), runs bin/vault.sh (/roles),
#   and makes the token that callers of card-api show (/callers/token).
# setup.sh rotate [-w] [-m]: bin/rotate.sh.
# All can be run again: what is there stays, but certificates that end within 30 days are made anew.
# ROOT=FOLDER: those folders are in FOLDER (bin/demo).
set -euo pipefail
umask 077
TOP=$(cd "$(dirname "$0")/../.." && pwd)
ROOT=${ROOT:-}
NAMES_BULLA=${NAMES_BULLA:-DNS:bulla,DNS:localhost,IP:127.0.0.1}
NAMES_CARD_API=${NAMES_CARD_API:-DNS:card-api,DNS:localhost,IP:127.0.0.1}
CURVE=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
MONTH_S=2592000

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
lasts() { openssl x509 -in "$1" -noout -checkend "$MONTH_S" >/dev/null 2>&1; }

make_ca() {
	lasts "$ROOT/ca/ca.pem" && return 0
	openssl req -x509 "${CURVE[@]}" -keyout "$ROOT/ca/ca.key" -out "$ROOT/ca/ca.pem.new" -days 3650 -subj "/CN=private CA of the card system" \
		-addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
	mv "$ROOT/ca/ca.pem.new" "$ROOT/ca/ca.pem"
	rm -f "$ROOT/tls/bulla/server.pem" "$ROOT/tls/card-api/server.pem"
	say "made a private CA"
}

# make_certificate NAME NAMES
make_certificate() {
	local folder="$ROOT/tls/$1" extensions

	lasts "$folder/server.pem" && return 0
	rm -f "$folder/server.pem" # first: a certificate without its key would be worse than none
	extensions=$(mktemp)
	printf 'subjectAltName=%s\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n' "$2" >"$extensions"
	openssl req "${CURVE[@]}" -keyout "$folder/server.key" -subj "/CN=$1" 2>/dev/null |
		openssl x509 -req -CA "$ROOT/ca/ca.pem" -CAkey "$ROOT/ca/ca.key" -set_serial "0x$(openssl rand -hex 16)" -days 365 \
			-extfile "$extensions" -out "$folder/server.pem.new" 2>/dev/null
	rm -f "$extensions"
	mv "$folder/server.pem.new" "$folder/server.pem"
	say "made a certificate for $1"
}

certificates() {
	make_ca
	make_certificate bulla "$NAMES_BULLA"
	make_certificate card-api "$NAMES_CARD_API"
	install -m 644 "$ROOT/ca/ca.pem" "$ROOT/trust/ca.pem.new"
	mv "$ROOT/trust/ca.pem.new" "$ROOT/trust/ca.pem"
}

# "operator init -status" ends with 0: initialised, 2: not, 1: no answer.
wait_for_bulla() {
	local tries status

	for tries in $(seq 120); do
		status=0
		bulla operator init -status >/dev/null 2>&1 || status=$?
		[ "$status" = 1 ] || return 0
		sleep 1
	done
	die "no answer from ${BULLA_ADDR:-} in $tries tries"
}

# The root token is shown only once: its file appears whole or not at all, and a run that was cut short behind the first step is finished.
initialise() {
	bulla operator init -status >/dev/null 2>&1 ||
		bulla operator init -recovery-shares=1 -recovery-threshold=1 >"$ROOT/operator/init.new"
	[ -s "$ROOT/operator/init.new" ] || return 0
	sed -n 's/^Initial Root Token: //p' "$ROOT/operator/init.new" >"$ROOT/operator/.bulla-token"
	mv "$ROOT/operator/init.new" "$ROOT/operator/init.txt"
	say "initialised: the root token and the recovery key are in the volume operator"
}

make_callers_token() {
	openssl rand -hex 32 >"$ROOT/callers/token.new"
	mv "$ROOT/callers/token.new" "$ROOT/callers/token"
}

prepare() {
	export HOME="$ROOT/operator"
	wait_for_bulla
	initialise
	[ -s "$ROOT/operator/.bulla-token" ] || die "Bulla is initialised, but the volume operator has no root token"
	VAULT_CLI=bulla VAULT_ADDR=$BULLA_ADDR VAULT_CACERT=${BULLA_CACERT:-} "$TOP/bin/vault.sh" "$ROOT/roles"
	[ -s "$ROOT/callers/token" ] || make_callers_token
	say "done"
}

case ${1:-} in
certificates) certificates ;;
prepare) prepare ;;
rotate) shift && exec "$TOP/bin/rotate.sh" "$@" ;;
*) die "certificates, prepare or rotate?" ;;
esac
