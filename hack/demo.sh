#!/usr/bin/env bash
# Compiles the demo and runs it. It says from the first second on what the user waits for, which "go run" does not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p bin
echo "Compiling the demo. It takes some minutes the first time, and seconds later."
go -C demo build -buildvcs=false -o ../bin/demo . &
build=$!
trap 'kill "$build" 2>/dev/null; exit 130' INT TERM
while sleep 0.2 && kill -0 "$build" 2>/dev/null; do
	if ((SECONDS >= ${next:=8})); then
		echo "  … compiling the demo: $SECONDS s so far"
		next=$((SECONDS + 8))
	fi
done
wait "$build"
trap - INT TERM
exec bin/demo
