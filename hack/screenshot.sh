#!/usr/bin/env bash
# Draws the picture of the demo that README.md shows, from the output of the demo itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p bin
make --silent demo ONCE=1 | tee bin/demo.txt
go run ./hack/screenshot <bin/demo.txt >bin/demo.svg
mv bin/demo.svg docs/images/demo.svg
