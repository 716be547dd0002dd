#!/usr/bin/env bash
# bin/vault.sh [-n] [DIR]: prepares a server for the credit-card system, and writes what each program needs into DIR (run/cards).
#   transit and AppRole, the keys cards, card-index and card-canary, a policy and a role each for card-api, card-processor and
#   card-rotator; then DIR/ROLE/role-id and DIR/ROLE/secret-id, mode 0600.
# Can be run again: what is there stays, policies and roles are written anew, and a secret ID that still works is kept
# (-n: make new ones, and destroy those that were in DIR).
# Works on Bulla, OpenBao and Vault: VAULT_CLI=bulla|bao|vault, VAULT_ADDR, VAULT_CACERT; with the token of `bulla login`
# (~/.vault-token) or VAULT_TOKEN, which may write mounts, policies, roles and keys.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=bin/cards.sh
. "$TOP/bin/cards.sh"
umask 077

new_secrets=no
while getopts nh option; do
	case $option in
	n) new_secrets=yes ;;
	h) usage 0 ;;
	*) usage 2 >&2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -le 1 ] || usage 2 >&2

need_cli
INDEX_KEY=${CARD_HMAC_KEY:-card-index}
CANARY_KEY=${CARD_CANARY_KEY:-card-canary}
ROLES="card-api card-processor card-rotator"
T=$CARD_TRANSIT_MOUNT
A=$CARD_APPROLE_MOUNT
DIR=${1:-$TOP/run/cards}

# Whether something is mounted there ($1: sys/mounts or sys/auth; $2: the path).
mounted() { vault read -format=json "$1" | grep "\"$2/\": *{" >/dev/null; }

enable() {
	if mounted "$1" "$2"; then
		say "$2/ is there"
	else
		vault write "$1/$2" type="$3" >/dev/null
		say "$2/ enabled ($3)"
	fi
}

make_key() {
	local name=$1
	shift
	if vault read -field=latest_version "$T/keys/$name" >/dev/null 2>&1; then
		say "key $name is there, version $(vault read -field=latest_version "$T/keys/$name")"
	else
		vault write -f "$T/keys/$name" "$@" >/dev/null
		say "key $name created"
	fi
}

write_policy() { vault write "sys/policies/acl/$1" policy=- >/dev/null; }

# Bulla is told from its peers by what it does: these refuse a stanza that they do not know. Any other refusal ends the script,
# for without that stanza the policies would be wider.
server_kind() {
	local said

	if said=$(printf 'path "card-probe" { capabilities = ["deny"] required_encryption_context = { purpose = ["pan"] } }\n' |
		write_policy card-probe 2>&1); then
		vault delete sys/policies/acl/card-probe >/dev/null
		say bulla
	elif grep -q 'invalid key "required_encryption_context"' <<<"$said"; then
		say peer
	else
		printf '%s\n' "$said" >&2
		die "a policy could not be written"
	fi
}

# rule PATH: update on it, on Bulla only for a card's own context.
rule() {
	printf 'path "%s" {\n  capabilities = ["update"]\n' "$1"
	[ "$KIND" != bulla ] || printf '  required_encryption_context = { card_id = "*", purpose = ["pan"] }\n'
	printf '}\n'
}

# Its own token is all that a program may look after, so that it needs no policy "default".
own_token() {
	printf 'path "auth/token/%s" {\n  capabilities = ["update"]\n}\n' renew-self revoke-self
	printf 'path "auth/token/lookup-self" {\n  capabilities = ["read"]\n}\n'
}

# With a key that encrypts nothing else each program proves at its start that a wrong binding does not decrypt.
canary() {
	printf 'path "%s" {\n  capabilities = ["update"]\n}\n' "$T/encrypt/$CANARY_KEY" "$T/decrypt/$CANARY_KEY"
}

policy_api() {
	rule "$T/encrypt/$CARD_KEY"
	canary
	own_token
}

policy_index() {
	printf 'path "%s" {\n  capabilities = ["update"]\n}\n' "$T/hmac/$INDEX_KEY"
}

policy_processor() {
	rule "$T/decrypt/$CARD_KEY"
	canary
	own_token
}

policy_rotator() {
	printf 'path "%s/keys/%s/rotate" {\n  capabilities = ["update"]\n}\n' "$T" "$CARD_KEY"
	printf 'path "%s/keys/%s" {\n  capabilities = ["read"]\n}\n' "$T" "$CARD_KEY"
	printf 'path "%s/keys/%s/config" {\n  capabilities = ["update"]\n' "$T" "$CARD_KEY"
	printf '  allowed_parameters = { "min_decryption_version" = [] }\n}\n'
	rule "$T/rewrap/$CARD_KEY"
	if [ "$KIND" = peer ]; then # their rewrap knows no associated data: it takes a decryption and an encryption
		rule "$T/decrypt/$CARD_KEY"
		rule "$T/encrypt/$CARD_KEY"
	fi
	canary
	own_token
}

write_role() {
	local name=$1 policies=$2 ttl=$3

	vault write "auth/$A/role/$name" token_policies="$policies" token_no_default_policy=true token_type=service \
		bind_secret_id=true secret_id_num_uses=0 secret_id_ttl=0 "$ttl" >/dev/null
}

# Whether a secret ID is one of the role's: of another one nothing is told, which is no error.
known() {
	vault write -format=json "$1/secret-id/lookup" secret_id=@"$2" 2>/dev/null | grep '"secret_id_accessor": *"[^"]' >/dev/null
}

# A file appears whole or not at all.
credentials() {
	local name=$1 folder=$DIR/$1 role=auth/$A/role/$1

	mkdir -p "$folder"
	vault read -field=role_id "$role/role-id" >"$folder/role-id.new"
	mv "$folder/role-id.new" "$folder/role-id"
	if [ -s "$folder/secret-id" ] && known "$role" "$folder/secret-id"; then
		[ "$new_secrets" = yes ] || return 0
		cp "$folder/secret-id" "$folder/secret-id.old"
	fi
	vault write -f -field=secret_id "$role/secret-id" >"$folder/secret-id.new"
	mv "$folder/secret-id.new" "$folder/secret-id"
	say "$name has a new secret ID"
	if [ -e "$folder/secret-id.old" ]; then
		vault write "$role/secret-id/destroy" secret_id=@"$folder/secret-id.old" >/dev/null
		rm "$folder/secret-id.old"
		say "its old secret ID was destroyed"
	fi
}

print_settings() {
	local name

	say
	say "What the programs need (the files are secret, the rest is not):"
	for name in $ROLES; do
		say
		say "# $name"
		say "CARD_VAULT_ADDR=${BULLA_ADDR:-${VAULT_ADDR:-${BAO_ADDR:-}}}"
		[ -z "${VAULT_CACERT:-}" ] || say "CARD_VAULT_CACERT=$VAULT_CACERT"
		say "CARD_APPROLE_MOUNT=$A"
		say "CARD_TRANSIT_MOUNT=$T"
		say "CARD_KEY=$CARD_KEY"
		[ "$name" != card-api ] || say "CARD_HMAC_KEY=$INDEX_KEY"
		say "CARD_CANARY_KEY=$CANARY_KEY"
		say "CARD_ROLE_ID_FILE=$DIR/$name/role-id"
		say "CARD_SECRET_ID_FILE=$DIR/$name/secret-id"
	done
}

mkdir -p "$DIR"
DIR=$(cd "$DIR" && pwd)
enable sys/mounts "$T" transit
enable sys/auth "$A" approle
KIND=$(server_kind)
case $KIND in
bulla) say "the server is Bulla: the policies demand the encryption_context of a card" ;;
*) say "the server is no Bulla: the policies go by path alone, and cards are bound by associated_data" ;;
esac
make_key "$CARD_KEY"
make_key "$INDEX_KEY" type=hmac key_size=32
make_key "$CANARY_KEY"
policy_api | write_policy card-api
policy_index | write_policy card-index
policy_processor | write_policy card-processor
policy_rotator | write_policy card-rotator
write_role card-api card-api,card-index token_period=1h
write_role card-processor card-processor token_period=1h
write_role card-rotator card-rotator token_ttl=1h
say "policies and roles written: $ROLES"
for name in $ROLES; do
	credentials "$name"
done
print_settings
