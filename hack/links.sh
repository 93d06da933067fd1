#!/usr/bin/env bash
# Has the links in files of a release lead to the pages of its own version: links.sh VERSION FILE... In Markdown, links to files of the repository
# become URLs. v0.0.0 and v0.0.0-snapshot are no releases: their links lead to main.
set -euo pipefail
version=$1 repository=github.com/gophernetes/bellhop
shift
[[ $version != v0.0.0* ]] || version=main
for file; do
	sed -i.bak "s|$repository/blob/main/|$repository/blob/$version/|g" "$file"
	[[ $file != *.md ]] || sed -i.bak -E "s|\]\((\.\./)*([^)#:][^):]*)\)|](https://$repository/blob/$version/\2)|g" "$file"
	rm "$file.bak"
done
