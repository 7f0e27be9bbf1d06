#!/bin/sh
# Builds the load generator, with the system's C compiler or the newest clang that there is.
# usage: generate.sh PROGRAM FILE...   of the files, those that end in .c are compiled
set -eu

program=$1
shift
for file; do
    shift
    case $file in *.c) set -- "$@" "$file" ;; esac
done
newest=$(printf '%s\n' /usr/lib/llvm-*/bin/clang | sort -V | tail -n 1)
for compiler in cc clang gcc "$newest"; do
    if command -v "$compiler" >/dev/null; then
        mkdir -p "$(dirname "$program")"
        # -pipe: what is left behind is the program alone.
        exec "$compiler" -std=c11 -O2 -pipe -o "$program" "$@"
    fi
done
echo "generate.sh: no C compiler: install gcc or clang" >&2
exit 1
