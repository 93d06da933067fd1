#!/usr/bin/env bash
# Runs cmd/notifier-conformance against the notifiers of examples/: the one in Go, and the one in Python with Debian's packages, which it
# downloads to bin/notifiers. It installs nothing, needs no root, and ends all that it starts. Exit code 77: the packages cannot be had on this
# machine. -build only downloads and builds; KEEP=1 keeps the certificates and what the servers print.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. hack/debian.sh
folder=$PWD/bin/notifiers
export TOKEN=notifier-token # of servers and clients

skip() {
	echo "notifiers: skipped: $*"
	exit 77
}

work=$(mktemp -d)
server=
clean_up() {
	local rc=$?
	stop
	if [ "${KEEP-}" = 1 ]; then
		echo "notifiers: see $work"
	else
		rm -rf "$work"
	fi
	exit "$rc"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

stop() {
	[ -n "$server" ] || return 0
	kill "$server" 2>/dev/null || true
	wait "$server" || true
	server=
}

# Downloads the packages that docs/how-to/alerts/write-a-notifier.md names, with those that they need and this machine lacks.
fetch() {
	local packages libraries
	command -v openssl >/dev/null || skip "this machine has no openssl"
	packages=$(apt-get install --simulate --no-install-recommends python3-grpcio protobuf-compiler-grpc protobuf-compiler libprotobuf-dev 2>/dev/null |
		sed -n 's/^Inst \([^ ]*\).*/\1/p') || skip "apt-get has no python3-grpcio or no protobuf-compiler-grpc"
	# shellcheck disable=SC2086 # a name has no blank
	unpack_debian "$folder" $packages || skip "the packages cannot be downloaded"
	libraries=$(compgen -G "$folder/usr/lib/*-linux-gnu*" | paste -sd:) || true # none if all packages are installed
	export PATH=$folder/usr/bin:/usr/bin:$PATH PYTHONPATH=$folder/usr/lib/python3/dist-packages LD_LIBRARY_PATH=$libraries
	python3 -c 'import grpc, google.protobuf' || skip "python3-grpcio does not run on this machine"
}

# Generates the server's modules, and the certificates of an authority, a server and a client.
prepare() {
	cp -R examples/notifier-python "$work/python"
	protoc -I proto -I "$work/python" --plugin=protoc-gen-grpc_python="$(command -v grpc_python_plugin)" \
		--python_out="$work/python" --grpc_python_out="$work/python" bellhop/notifier/v1/notifier.proto google_rpc.proto
	cd "$work"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=notifier-ca -keyout ca.key -out ca.crt 2>/dev/null
	local name
	for name in server client; do
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$name.key" -out "$name.csr" 2>/dev/null
		printf 'subjectAltName=DNS:localhost' | openssl x509 -req -in "$name.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
			-extfile /dev/stdin -out "$name.crt" 2>/dev/null
	done
	cd - >/dev/null
}

# Starts a server, and sets $address: start NAME COMMAND...
start() {
	local name=$1 _
	shift
	"$@" >"$work/$name.out" 2>"$work/$name.err" &
	server=$!
	address=
	for _ in {1..150}; do
		address=$(sed -n 's/.*listening at .*:\([0-9]*\)$/localhost:\1/p' "$work/$name.err")
		if [ -n "$address" ] || ! kill -0 "$server" 2>/dev/null; then break; fi
		sleep 0.2
	done
	[ -n "$address" ] || { cat "$work/$name.err"; echo "notifiers: $name does not listen"; exit 1; }
}

# Checks the server that runs, and stops it: check NAME FLAG...
check() {
	local name=$1
	shift
	echo "--- $name"
	"$work/notifier-conformance" -address "$address" -ca "$work/ca.crt" "$@" || failed=1
	[ -s "$work/$name.out" ] || { echo "notifiers: $name has printed no message"; failed=1; }
	stop
}

fetch
CGO_ENABLED=0 go build -tags grpcnotrace -o "$work/notifier-conformance" ./cmd/notifier-conformance
CGO_ENABLED=0 go -C examples build -tags grpcnotrace -o "$work/notifier" ./notifier
[ "${1-}" != -build ] || exit 0
prepare

failed=0
pair=(-cert "$work/server.crt" -key "$work/server.key" -listen 127.0.0.1:0)
start go "$work/notifier" "${pair[@]}"
check go
python=(python3 "$work/python/notifier.py" "${pair[@]/#-/--}" --keys "$work/delivered.db")
start python "${python[@]}"
check python
start python-with-client-certificates "${python[@]}" --client-ca "$work/ca.crt"
without=$("$work/notifier-conformance" -address "$address" -ca "$work/ca.crt" -timeout 2s || true)
if [[ $without != *"FAILED  Probe answers OK"* ]]; then
	echo "notifiers: python accepts a client without a certificate"
	failed=1
fi
check python-with-client-certificates -cert "$work/client.crt" -key "$work/client.key"
exit $failed
