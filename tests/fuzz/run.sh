#!/bin/sh
# run.sh TARGET [LIBFUZZER OPTION...]: fuzzes one target with clang's libFuzzer, ASan and UBSan, from its corpus, until it
# fails or you stop it (-max_total_time=60 stops by itself). What it finds new is kept in fuzz-TARGET/ of the current folder.
# An input that failed belongs into corpus/TARGET/, with a fix.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
target=${1:?"usage: run.sh base64|ciphertext|framing|hcl|json|policy|proxy|target [libFuzzer options]"}
shift
work=fuzz-$target
mkdir -p "$work/found"
: >"$work/config.h"
packages="libcrypto libsodium sqlite3 liburcu jansson"
# shellcheck disable=SC2046,SC2086
${CLANG:-clang} -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -D_GNU_SOURCE -DBULLA_INSIDE \
	-I"$work" -I"$top/lib" -I"$top/src" -I"$top/tests/unit" -I"$here" $(pkg-config --cflags $packages) \
	"$here/$target.c" "$top"/tests/unit/json_oracle.c "$top"/lib/base/*.c "$top"/lib/keyring/ciphertext.c "$top"/lib/policy/*.c \
	"$top"/src/request/form.c "$top"/src/http/framing.c "$top"/src/http/framing_head.c "$top"/src/http/proxy_header.c "$top"/src/http/target.c \
	-o "$work/fuzz" $(pkg-config --libs $packages) -pthread
exec "$work/fuzz" "$@" "$work/found" "$here/corpus/$target"
