# lib.sh: what bin/run, bin/test and bin/bench share: packages and builds. Sourced from the project's top folder.
# shellcheck shell=bash

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Lists of words; a|b is a choice, of which the first is installed.
BUILD_PACKAGES="gcc libc6-dev make autoconf automake pkg-config libmicrohttpd-dev libgnutls28-dev libssl-dev libsodium-dev \
libsqlite3-dev liburcu-dev libjansson-dev libcurl4-openssl-dev|libcurl4-gnutls-dev"
TEST_PACKAGES="check xz-utils curl openssl python3 python3-venv binutils shellcheck"

# One of the alternatives a|b|c is installed.
package_installed() {
	local name

	for name in ${1//|/ }; do
		dpkg-query -W -f='${Status}\n' "$name" 2>/dev/null | grep -q '^install ok installed' && return 0
	done
	return 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "neither root nor sudo: as root, run: $*"
	fi
}

# Installs those of the named packages that are missing; asks for new package lists only when the ones at hand do not serve.
need_packages() {
	local missing=() name log

	if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
		say "not a Debian system: taking it that these are here: $*"
		return 0
	fi
	for name in "$@"; do
		package_installed "$name" || missing+=("${name%%|*}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing ${missing[*]} ..."
	log=$(mktemp)
	if ! watched "$log" apt_install "${missing[@]}"; then
		if ! watched "$log" apt_update_and_install "${missing[@]}"; then
			cat "$log" >&2
			rm -f "$log"
			die "could not install ${missing[*]}"
		fi
	fi
	rm -f "$log"
}

apt_update_and_install() { as_root apt-get update && apt_install "$@"; }

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends install "$@" </dev/null
}

# build DIR [CONFIGURE OPTION...]: an out-of-tree build in DIR, configured at the first time and when the options change.
build() {
	local dir=$1
	shift
	[ ! -e config.status ] || die "this folder was configured in place, so nothing can be built beside it: make distclean first"
	[ -x configure ] || autoreconf -fi || return 1
	mkdir -p "$dir" || return 1
	if [ ! -e "$dir/Makefile" ] || [ "$(cat "$dir/.options" 2>/dev/null)" != "$*" ]; then
		# the path to configure is relative, for it refuses absolute ones with a space
		(cd "$dir" && "$(realpath --relative-to=. "$OLDPWD")/configure" -q "$@") || return 1
		printf '%s\n' "$*" >"$dir/.options"
	fi
	make -s -C "$dir" -j"$(nproc)" all
}

# usage STATUS: the comment at the head of a script is its help; with a status other than 0 it goes to standard error.
usage() {
	[ "$1" = 0 ] || exec >&2
	sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
	exit "$1"
}

# no_arguments "$@": for scripts that take none but a request for help.
no_arguments() {
	case ${1:-} in
	'') return 0 ;;
	-h | --help) usage 0 ;;
	*) usage 2 ;;
	esac
}

# watched LOG COMMAND...: runs it with its output in LOG, and says every 15 seconds where it is. Its exit status.
watched() {
	local log=$1 start=$SECONDS said=$SECONDS pid before status
	shift

	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	before=$(trap -p INT TERM)
	# shellcheck disable=SC2064 # of now
	trap "kill $pid 2>/dev/null; exit 130" INT TERM # what runs in the background does not hear Ctrl-C
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		if ((SECONDS - said >= 15)); then
			said=$SECONDS
			say "  $((SECONDS - start)) s: $(tail -n 1 "$log" | cut -c 1-100)"
		fi
	done
	status=0
	wait "$pid" || status=$?
	trap - INT TERM
	eval "$before"
	return "$status"
}

# step TEXT COMMAND...: says what is done, where it is meanwhile, and how long it took; what the command says is kept in build/logs and
# shown only when it fails.
step() {
	local text=$1 log=build/logs/step.log start=$SECONDS
	shift
	{ mkdir -p build/logs && : >"$log"; } 2>/dev/null || die "cannot write $log: build/ belongs to $(stat -c %U build 2>/dev/null || echo another user); remove it, or be that user"
	say "$text ... ($log)"
	if ! watched "$log" "$@"; then
		cat "$log" >&2
		die "failed: $text"
	fi
	say "$text: done ($((SECONDS - start)) s)"
}

port_taken() {
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}
