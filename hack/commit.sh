#!/usr/bin/env bash
# Prints the commit of the source, with -dirty if files were changed or added; outside of a Git repository nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
commit=$(git rev-parse --verify HEAD 2>/dev/null) || exit 0
[ -z "$(git status --porcelain)" ] || commit+=-dirty
echo "$commit"
