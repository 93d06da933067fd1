#!/usr/bin/env bash
# Prints the commit of the source, with -dirty if files were changed; outside of a Git repository nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
commit=$(git rev-parse --verify HEAD 2>/dev/null) || exit 0
git diff --quiet HEAD || commit+=-dirty
echo "$commit"
