#!/usr/bin/env bash
# Every shell script of the project through shellcheck.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v shellcheck >/dev/null; then
	echo "shellcheck: not installed, skipped"
	exit 0
fi
mapfile -t scripts < <(grep -lIE '^#!.*\b(ba)?sh$|^# shellcheck shell=' -r .ci bin api tests --exclude-dir=.venv --exclude-dir=__pycache__)
[ ${#scripts[@]} -ge 8 ] || { echo "shellcheck: only ${#scripts[@]} scripts found"; exit 1; }
# Errors and warnings; not the notes on style. SC2034: variables that are used where the file is sourced.
shellcheck -x -S warning -e SC2034 "${scripts[@]}"
echo "shellcheck: ${#scripts[@]} scripts, no complaints"
