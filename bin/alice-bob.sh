#!/usr/bin/env bash
# bin/alice-bob.sh [AUDIT_LOG]: an encryptor and a decryptor with separate rights, and an encryption_context, as with AWS KMS grants.
#   Alice may encrypt with the key letters, and only for user=alice; Bob may decrypt, and has to say for whom it was encrypted.
#   What she encrypted for user=alice opens for Bob with user=alice and not with user=bob; each is refused what the other may do.
#   With AUDIT_LOG, the file of the server's audit device, it shows what was recorded of Bob's attempts.
# VAULT_CLI, VAULT_ADDR, VAULT_CACERT and a token as for bin/vault.sh. The server must be a Bulla. Can be run again.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=bin/cards.sh
. "$TOP/bin/cards.sh"
umask 077

[ "${1:-}" != -h ] || usage 0
[[ $# -le 1 && ${1:-} != -* ]] || usage 2 >&2
audit=${1:-}
need_cli
T=$CARD_TRANSIT_MOUNT
key=letters
LETTER='Meet me at the archive.'
homes=$(mktemp -d)
people=()

finish() {
	local who

	for who in "${people[@]}"; do
		as "$who" token revoke -self >/dev/null 2>&1 || true
	done
	rm -rf "$homes"
}
trap finish EXIT

# as WHO COMMAND...: the client with that person's token.
as() {
	local who=$1
	shift
	env -u VAULT_TOKEN -u BULLA_TOKEN -u BAO_TOKEN HOME="$homes/$who" "$VAULT_CLI" "$@"
}

# person NAME: the policy on standard input, and a token with it alone, in a home of its own.
person() {
	vault write "sys/policies/acl/letters-$1" policy=- >/dev/null
	mkdir "$homes/$1"
	vault write -field=token auth/token/create policies="letters-$1" no_default_policy=true ttl=1h display_name="$1" >"$homes/$1/.vault-token"
	people+=("$1")
}

encrypt() {
	printf '{"plaintext":"%s","encryption_context":{"user":"%s"}}' "$(printf %s "$LETTER" | base64)" "$2" |
		as "$1" write -field=ciphertext "$T/encrypt/$key" -
}

decrypt() {
	printf '{"ciphertext":"%s","encryption_context":{"user":"%s"}}' "$3" "$2" | as "$1" write -field=plaintext "$T/decrypt/$key" -
}

# refused TEXT WHAT COMMAND...: it must fail, and say TEXT.
refused() {
	local text=$1 what=$2 said
	shift 2
	if said=$("$@" 2>&1); then
		die "this should have been refused: $what"
	fi
	grep -F "$text" <<<"$said" >/dev/null || die "$what was refused for another reason: $said"
	say "$what: refused ($text)"
}

vault read -format=json sys/mounts | grep "\"$T/\": *{" >/dev/null || vault write "sys/mounts/$T" type=transit >/dev/null
vault read -field=name "$T/keys/$key" >/dev/null 2>&1 || vault write -f "$T/keys/$key" >/dev/null
person alice <<END_OF_POLICY
path "$T/encrypt/$key" {
  capabilities = ["update"]
  required_encryption_context = { user = "alice" }
}
path "auth/token/revoke-self" { capabilities = ["update"] }
END_OF_POLICY
person bob <<END_OF_POLICY
path "$T/decrypt/$key" {
  capabilities = ["update"]
  required_encryption_context = { user = "*" }
}
path "auth/token/revoke-self" { capabilities = ["update"] }
END_OF_POLICY

sealed=$(encrypt alice alice)
say "Alice encrypts for user=alice: $sealed"
plain=$(decrypt bob alice "$sealed" | base64 -d)
[ "$plain" = "$LETTER" ] || die "Bob read something else"
say "Bob decrypts with user=alice: $plain"
refused "message authentication failed" "Bob decrypts with user=bob" decrypt bob bob "$sealed"
refused "permission denied" "Bob decrypts without a user" decrypt bob "" "$sealed"
refused "permission denied" "Alice decrypts" decrypt alice alice "$sealed"
refused "permission denied" "Bob encrypts" encrypt bob alice
refused "permission denied" "Alice encrypts for user=bob" encrypt alice bob
[ -n "$audit" ] || exit 0

# show LINE: who asked, in which context, and how it ended. "1 error occurred:\n\t* invalid request\n\n" is how errors stand there.
show() {
	local who='?' context='no context' end=decrypted

	[[ $1 =~ \"display_name\":\"([^\"]*)\" ]] && who=${BASH_REMATCH[1]}
	[[ $1 =~ \"encryption_context\":(\{[^}]*\}) ]] && context=${BASH_REMATCH[1]}
	[[ $1 =~ \"error\":\"[^\"]*\*\ ([a-z\ ]+) ]] && end="refused: ${BASH_REMATCH[1]}"
	say "  $who $context $end"
}

say
say "What the audit log has of the decryptions (plaintexts, ciphertexts and tokens are hashed in it):"
grep -F "\"path\":\"$T/decrypt/$key\"" "$audit" | grep -F '"type":"response"' | tail -n 4 | while IFS= read -r line; do
	show "$line"
done
