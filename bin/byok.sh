#!/usr/bin/env bash
# bin/byok.sh [-k KEY] [-r] [-c PRIVATE_KEY] PUBLIC_KEY [DIR]: bring your own key: wraps a key of transit for a cloud's KMS.
#   Exports the 32 bytes of the newest version of KEY (byok-demo-key; made, exportable, if it is not there) and wraps them with
#   RSAES_OAEP_SHA_256 under the import key that the KMS gave (PUBLIC_KEY, PEM or DER), into DIR/KEY.vN.wrapped (DIR: here).
#   -r  rotate first: a new version, for the next import
#   -c  check that this private key unwraps the file to the same bytes (only who plays the KMS has one)
# With BYOK_IMPORT=PROGRAM it then runs: PROGRAM FILE KEY VERSION, which calls the KMS. See docs/BYOK.md.
# The bytes go from program to program through pipes: they are in no file, no argument and no variable.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=bin/cards.sh
. "$TOP/bin/cards.sh"
umask 077

key=byok-demo-key rotate=no private=
while getopts k:rc:h option; do
	case $option in
	k) key=$OPTARG ;;
	r) rotate=yes ;;
	c) private=$OPTARG ;;
	h) usage 0 ;;
	*) usage 2 >&2 ;;
	esac
done
shift $((OPTIND - 1))
[[ ($# = 1 || $# = 2) && -n $1 ]] || usage 2 >&2
public=$1 dir=${2:-.}
OAEP=(-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256)

need_cli
T=$CARD_TRANSIT_MOUNT
version() { vault read -field=latest_version "$T/keys/$key"; }

# The key's bytes, on standard output. Whoever reads them checks their number: a pipe does not tell of its other end.
material() {
	vault read -format=json "$T/export/encryption-key/$key/$number" |
		sed -n "s/^ *\"$number\": *\"\([A-Za-z0-9+\/]*=*\)\".*/\1/p" | base64 -d
}

wrap() { openssl pkeyutl -encrypt -pubin -inkey "$public" "${OAEP[@]}"; }
unwrap() { openssl pkeyutl -decrypt -inkey "$private" "${OAEP[@]}" -in "$file"; }

text=$(openssl pkey -pubin -in "$public" -noout -text 2>/dev/null) || die "$public is no public key"
[[ $text == *Modulus:* ]] || die "$public is no RSA key"
bits=$(sed -n 's/^Public-Key: (\([0-9]*\) bit)$/\1/p' <<<"$text")
[ "$bits" -ge 2048 ] || die "$public has $bits bits only"
[ -d "$dir" ] || die "no folder $dir"

if ! version >/dev/null 2>&1; then
	vault write -f "$T/keys/$key" exportable=true >/dev/null || die "the key $key could not be made"
	say "$key created, exportable"
elif [ "$rotate" = yes ]; then
	vault write -f "$T/keys/$key/rotate" >/dev/null || die "$key was not rotated"
fi
number=$(version) || die "the version of $key cannot be read"
count=$(material | wc -c) || die "version $number of $key was not exported"
[ "$count" = 32 ] || die "version $number of $key has $count bytes, and not the 32 of an AES-256 key"
file=$dir/$key.v$number.wrapped
material | wrap >"$file.new" || die "wrapping failed"
mv "$file.new" "$file"
say "$key version $number wrapped with RSAES_OAEP_SHA_256 ($bits bits): $file"
if [ -n "$private" ]; then
	count=$(unwrap | wc -c) || die "$private does not unwrap $file"
	[ "$count" = 32 ] || die "$file unwraps to $count bytes"
	cmp -s <(material) <(unwrap) || die "$file unwraps to other bytes"
	say "checked: the private key unwraps it to the same 32 bytes"
fi
if [ -n "${BYOK_IMPORT:-}" ]; then
	"$BYOK_IMPORT" "$file" "$key" "$number" || die "$BYOK_IMPORT did not import $file"
	say "imported by $BYOK_IMPORT"
fi
