# cards.sh: what vault.sh, rotate.sh, rewrap.sh and the other scripts of the credit-card system share. Sourced.
# No secret is put into arguments or the environment here: tokens and secret IDs go through files (mode 0600) and standard input.
# shellcheck shell=bash

LAST_ERROR=
say() { printf '%s\n' "$*"; }
die() {
	LAST_ERROR=$*
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# The comment at the head of a script is its help.
usage() {
	sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
	exit "$1"
}

# Before options are read: getopts knows no long ones.
[ "${1:-}" != --help ] || usage 0

# KEY=VALUE lines, as systemd's EnvironmentFile and docker's env_file have them: read as data, never run.
load_settings() {
	local file=$1 line

	[ -r "$file" ] || die "cannot read the settings, -e '$file'"
	while IFS= read -r line || [ -n "$line" ]; do
		[[ $line =~ ^(#|$) ]] && continue
		[[ $line =~ ^[A-Z][A-Z0-9_]*= ]] || die "$file: not KEY=VALUE: ${line%%=*}"
		export "${line?}"
	done <"$file"
}

# The settings' defaults, and a look whether there is a client.
need_cli() {
	VAULT_CLI=${VAULT_CLI:-bulla}
	CARD_TRANSIT_MOUNT=${CARD_TRANSIT_MOUNT:-transit}
	CARD_APPROLE_MOUNT=${CARD_APPROLE_MOUNT:-approle}
	CARD_KEY=${CARD_KEY:-cards}
	if [ -n "${CARD_VAULT_ADDR:-}" ]; then
		export VAULT_ADDR=$CARD_VAULT_ADDR
		unset BULLA_ADDR BAO_ADDR
	fi
	if [ -n "${CARD_VAULT_CACERT:-}" ]; then
		export VAULT_CACERT=$CARD_VAULT_CACERT
		unset BULLA_CACERT BAO_CACERT
	fi
	# the operator's taste in output must not change what is parsed here
	unset BULLA_FORMAT VAULT_FORMAT BAO_FORMAT
	command -v "$VAULT_CLI" >/dev/null || die "no program $VAULT_CLI: set VAULT_CLI to bulla, bao or vault, or to a path"
	[ -n "${BULLA_ADDR:-}${VAULT_ADDR:-}${BAO_ADDR:-}" ] || die "VAULT_ADDR is not set"
}

vault() { "$VAULT_CLI" "$@"; }

# What was entered or made for this run alone, and is gone at its end: the token, in a home where all three clients look for it.
LOGIN_HOME=

# log_in ROLE_ID_FILE SECRET_ID_FILE: an AppRole login; the clients called after it use its token, and no other.
log_in() {
	[ -n "$1" ] || die "CARD_ROLE_ID_FILE is not set: the file that bin/vault.sh wrote, run/cards/card-rotator/role-id"
	[ -n "$2" ] || die "CARD_SECRET_ID_FILE is not set: the file that bin/vault.sh wrote, run/cards/card-rotator/secret-id"
	[ -s "$1" ] || die "CARD_ROLE_ID_FILE: $1 is missing or empty: bin/vault.sh writes it"
	[ -s "$2" ] || die "CARD_SECRET_ID_FILE: $2 is missing or empty: bin/vault.sh writes it"
	LOGIN_HOME=$(mktemp -d)
	unset BULLA_TOKEN VAULT_TOKEN BAO_TOKEN
	export HOME=$LOGIN_HOME
	(umask 077 && vault write -field=token "auth/$CARD_APPROLE_MOUNT/login" role_id=@"$1" secret_id=@"$2" >"$HOME/new") ||
		die "the login was refused"
	mv "$HOME/new" "$HOME/.vault-token"
}

log_out() {
	[ -n "$LOGIN_HOME" ] || return 0
	[ ! -s "$LOGIN_HOME/.vault-token" ] || vault token revoke -self >/dev/null 2>&1 || true
	rm -rf "$LOGIN_HOME"
	LOGIN_HOME=
}

# The outcome, in one line: on standard output, or with CARDS_LOG at the end of that file, so that cron mails failures only.
log_line() {
	local line

	line="$(date -u +%Y-%m-%dT%H:%M:%SZ) ${0##*/}: $*"
	if [ -n "${CARDS_LOG:-}" ]; then
		printf '%s\n' "$line" >>"$CARDS_LOG"
	else
		printf '%s\n' "$line"
	fi
}

# begin_job: for what cron starts, before anything is done: a job that cannot say how it ended does not begin.
begin_job() {
	trap end_job EXIT
	[ -z "${CARDS_LOG:-}" ] || : >>"$CARDS_LOG" || die "CARDS_LOG: cannot write $CARDS_LOG"
	need_cli
}

# For trap ... EXIT of what cron starts. A failure is in the log too, besides standard error and the exit status.
end_job() {
	local status=$?

	log_out
	[ "$status" = 0 ] || [ ! -w "${CARDS_LOG:-}" ] || log_line "FAILED: ${LAST_ERROR:-status $status}" || true
	exit "$status"
}

latest_version() { vault read -field=latest_version "$CARD_TRANSIT_MOUNT/keys/$CARD_KEY"; }
