#!/usr/bin/env bash
# Stands in for a container engine where there is none: make docker-build docker-push CONTAINER_TOOL=hack/engine.sh. It knows what the Dockerfile
# has, and nothing else, and fails on anything else.
#   engine.sh build [--build-arg NAME=VALUE]... -t IMAGE CONTEXT
#     copies the context by the rules of .dockerignore, runs the commands of the stage "build" there on this machine, and writes the image as an
#     archive to bin/engine.
#   engine.sh push IMAGE
#     runs the command LOAD with the archive, which loads it into the nodes of a cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$PWD/bin/engine
die() { echo "engine: $*" >&2; exit 1; }
archive_of() { echo "$out/$(tr -c 'a-zA-Z0-9.\n' - <<<"$1").tar"; }

# instructions STAGE prints the instructions of a stage of the Dockerfile, 1 or 2, one a line.
instructions() {
	sed -e '/^#/d' -e ':join' -e '/\\$/{N;s/\\\n *//;bjoin' -e '}' Dockerfile | awk -v stage="$1" '/^FROM / { n++ } n == stage && NF'
}

# copy_context FROM TO copies the files that .dockerignore does not leave out.
copy_context() {
	local rule kept=() left_out=()
	while read -r rule; do
		case $rule in
		'' | '#'* | '*') ;;
		'!'*) kept+=("${rule#!}") ;;
		'**/'*) left_out+=("--exclude=${rule#'**/'}") ;;
		*) die ".dockerignore has the rule $rule, which this script does not know" ;;
		esac
	done <"$1/.dockerignore"
	tar -C "$1" "${left_out[@]}" -c "${kept[@]}" | tar -x -C "$2"
}

# run_stage DIRECTORY runs the commands of the stage "build" in a copy of the context.
run_stage() {
	local instruction rest
	while read -r instruction rest; do
		case "$instruction $rest" in
		'FROM '* | 'WORKDIR /src' | 'COPY . .' | 'ARG '*) ;;
		'RUN '*) (cd "$1" && bash -euc "$(sed 's/--mount=[^ ]* *//g' <<<"$rest")") ;;
		*) die "the Dockerfile has $instruction $rest, which this script does not know" ;;
		esac
	done < <(instructions 1)
}

# write_image DIRECTORY IMAGE writes the last stage as an image archive of one layer.
write_image() {
	local directory=$1 image=$2 instruction rest layer config env='' labels='' user='' entrypoint=''
	pairs() { eval "printf '%s\n' $1"; } # the build's arguments are in the environment
	while read -r instruction rest; do
		case "$instruction $rest" in
		'FROM scratch' | 'ARG '*) ;;
		'COPY --from=build /src/bin/files /') tar -C "$directory/bin/files" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$directory/layer.tar" . ;;
		'ENV '*) env=$(pairs "$rest" | sed 's/.*/"&"/' | paste -sd,) ;;
		'LABEL '*) labels=$(pairs "$rest" | sed 's/\([^=]*\)=\(.*\)/"\1":"\2"/' | paste -sd,) ;;
		'USER '*) user=$rest ;;
		'ENTRYPOINT '*) entrypoint=$rest ;;
		*) die "the Dockerfile has $instruction $rest, which this script does not know" ;;
		esac
	done < <(instructions 2)
	layer=$(sha256sum <"$directory/layer.tar" | cut -d' ' -f1)
	cat >"$directory/config.json" <<-EOF
		{"architecture":"$TARGETARCH","os":"$TARGETOS","created":"1970-01-01T00:00:00Z",
		"config":{"User":"$user","Env":[$env],"Labels":{$labels},"Entrypoint":$entrypoint},
		"rootfs":{"type":"layers","diff_ids":["sha256:$layer"]},"history":[{"created":"1970-01-01T00:00:00Z"}]}
	EOF
	config=sha256:$(sha256sum <"$directory/config.json" | cut -d' ' -f1)
	gzip -n -1 "$directory/layer.tar"
	mv "$directory/layer.tar.gz" "$directory/$layer.tar.gz"
	mv "$directory/config.json" "$directory/$config"
	echo "[{\"Config\":\"$config\",\"RepoTags\":[\"$image\"],\"Layers\":[\"$layer.tar.gz\"]}]" >"$directory/manifest.json"
	mkdir -p "$out"
	tar -C "$directory" --force-local -cf "$(archive_of "$image")" "$config" "$layer.tar.gz" manifest.json
}

build() {
	local image='' from='' work
	TARGETOS=linux TARGETARCH=$(go env GOARCH) VERSION='' COMMIT=''
	while [ $# -gt 0 ]; do
		case $1 in
		--build-arg) declare -g "$2"; shift 2 ;;
		-t) image=$2; shift 2 ;;
		-*) die "build has the option $1, which this script does not know" ;;
		*) from=$1; shift ;;
		esac
	done
	[ -n "$image" ] && [ -n "$from" ] || die "usage: engine.sh build [--build-arg NAME=VALUE]... -t IMAGE CONTEXT"
	export TARGETOS TARGETARCH VERSION COMMIT
	work=$(mktemp -d)
	trap "rm -rf '$work'" EXIT
	copy_context "$from" "$work"
	run_stage "$work"
	write_image "$work" "$image"
	echo "$(archive_of "$image"): $image" >&2
}

case ${1-} in
build) shift; build "$@" ;;
push) ${LOAD:?names the command that loads an archive into the nodes of the cluster} "$(archive_of "${2:?names the image}")" ;;
*) die "there is no command ${1-}: build, push" ;;
esac
