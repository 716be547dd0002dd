#!/usr/bin/env bash
# bin/rotate.sh [-e FILE] [-w [-m]]: gives the cards' key a new version. What was encrypted before still decrypts.
#   -e FILE  settings: KEY=VALUE lines, as in api/etc/cards.env
#   -w       then rewrap the stored cards: bin/rewrap.sh;  -m: and retire the old versions, as rewrap.sh -m
# Logs in as card-rotator, with CARD_ROLE_ID_FILE and CARD_SECRET_ID_FILE. Writes one line to standard output, or to the end
# of CARDS_LOG. Exit status 0: done; anything else: not, and standard error says why.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=bin/cards.sh
. "$TOP/bin/cards.sh"

rewrap=no options=()
while getopts e:wmh option; do
	case $option in
	e) load_settings "$OPTARG" ;;
	w) rewrap=yes ;;
	m) options+=(-m) ;;
	h) usage 0 ;;
	*) usage 2 >&2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 0 ] || usage 2 >&2

begin_job
[ "$rewrap" = yes ] || [ ${#options[@]} = 0 ] || die "-m retires versions after a rewrap: give -w as well"
log_in "${CARD_ROLE_ID_FILE:-}" "${CARD_SECRET_ID_FILE:-}"
key=$CARD_TRANSIT_MOUNT/keys/$CARD_KEY
before=$(latest_version) || die "the version of $key cannot be read"
vault write -f "$key/rotate" >/dev/null || die "$key was not rotated"
after=$(latest_version) || die "$key was rotated, but its version cannot be read"
[ "$after" -gt "$before" ] || die "$key still has version $before"
log_line "$key rotated from version $before to $after"
if [ "$rewrap" = yes ]; then
	log_out
	"$TOP/bin/rewrap.sh" "${options[@]}" || die "$key was rotated, but not all cards were rewrapped: run bin/rewrap.sh"
fi
