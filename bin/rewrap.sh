#!/usr/bin/env bash
# bin/rewrap.sh [-e FILE] [-m]: brings every stored card to the newest version of the key, without a plaintext leaving the server.
#   -e FILE  settings: KEY=VALUE lines, as in api/etc/cards.env; CARD_DB is the cards' database, CARD_API the program card-api
#   -m       then raise min_decryption_version, so that ciphertexts of older versions are worthless, wherever a copy may lie
# Can be stopped at any time and run again. Logs in as card-rotator. Writes one line, to the end of CARDS_LOG if that is set.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=bin/cards.sh
. "$TOP/bin/cards.sh"

raise=no
while getopts e:mh option; do
	case $option in
	e) load_settings "$OPTARG" ;;
	m) raise=yes ;;
	h) usage 0 ;;
	*) usage 2 >&2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 0 ] || usage 2 >&2

# card-api shows its progress. With a log it is asked for an outcome only, and what it said is shown when it failed.
rewrap() {
	local said

	if [ -z "${CARDS_LOG:-}" ]; then
		"$CARD_API" rewrap || die "not all cards were rewrapped: run it again"
	elif ! said=$("$CARD_API" rewrap 2>&1); then
		printf '%s\n' "$said" >&2
		die "not all cards were rewrapped: run it again"
	fi
}

begin_job
export CARD_VAULT_ADDR=${CARD_VAULT_ADDR:-${BULLA_ADDR:-${VAULT_ADDR:-${BAO_ADDR:-}}}}
CARD_VAULT_CACERT=${CARD_VAULT_CACERT:-${BULLA_CACERT:-${VAULT_CACERT:-${BAO_CACERT:-}}}}
[ -z "$CARD_VAULT_CACERT" ] || export CARD_VAULT_CACERT
CARD_API=${CARD_API:-card-api}
command -v "$CARD_API" >/dev/null || die "no program $CARD_API: set CARD_API to its path"
log_in "${CARD_ROLE_ID_FILE:-}" "${CARD_SECRET_ID_FILE:-}"
key=$CARD_TRANSIT_MOUNT/keys/$CARD_KEY
version=$(latest_version) || die "the version of $key cannot be read"
rewrap
if [ "$raise" = yes ]; then # card-api stores no older card any more, not even one that was on its way
	vault write "$key/config" min_decryption_version="$version" >/dev/null || die "min_decryption_version of $key was not raised"
	log_line "cards rewrapped to version $version of $key; older versions do not decrypt any more"
else
	log_line "cards rewrapped to version $version of $key"
fi
