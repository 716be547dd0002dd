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
	say "installing ${missing[*]}"
	log=$(mktemp)
	if ! apt_install "${missing[@]}" >"$log" 2>&1; then
		if ! { as_root apt-get -qq update && apt_install "${missing[@]}"; } >>"$log" 2>&1; then
			cat "$log" >&2
			rm -f "$log"
			die "could not install ${missing[*]}"
		fi
	fi
	rm -f "$log"
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq --no-install-recommends install "$@" </dev/null
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

# step TEXT COMMAND...: one line for a step; what the command says is kept in build/logs and shown only when it fails.
step() {
	local text=$1 log start=$SECONDS
	shift
	mkdir -p build/logs
	log=build/logs/step.log
	if ! ("$@") >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		die "failed: $text"
	fi
	say "$text: done ($((SECONDS - start)) s)"
}

port_taken() {
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}
