#!/usr/bin/env bash
# Runs the tests of every module, with a real control plane where they need one, and says how long each suite took. MODULES limits
# them, as MODULES="./ test/", and SUITES those of test/, as SUITES="pager docs". What a suite prints is in bin/test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
logs=$PWD/bin/test
rm -rf "$logs"
mkdir -p "$logs"

KUBEBUILDER_ASSETS=$(go -C hack/controlplane run . -controller-manager)
export KUBEBUILDER_ASSETS

# The race detector is for tests whose code under test runs in the same process. It needs a C compiler.
race=-race
if ! command -v "$(go env CC)" >/dev/null; then
	echo "no C compiler here: testing without the race detector"
	race=
fi
flags=(-tags grpcnotrace -vet=off -ldflags=-w) # "make lint" vets

has() { [[ " $1 " == *" $2 "* ]]; } # has LIST WORD
modules=${MODULES:-./}
suites=
if has "$modules" test/; then
	suites=${SUITES:-pager servicecatalog admission removal certificates docs conversion internal bench faults}
fi

# All run the operator as it is deployed. What several suites need is built once, and before they begin.
make --silent build
export BELLHOP_OPERATOR=$PWD/bin/manager
ginkgo=$(go tool -modfile=hack/tools/go.mod -n ginkgo)
! has "$suites" servicecatalog || go tool -modfile=hack/tools/helm/go.mod -n helm >/dev/null
for name in pager servicecatalog; do
	! has "$suites" $name || CGO_ENABLED=0 go -C test test -c "${flags[@]}" -o $name/$name.test ./$name
done

# What has the race detector is compiled once more. Suites that begin side by side would each do that.
if [ -n "$race" ] && has "$suites" admission; then
	CGO_ENABLED=1 go -C test list -race -export -deps -test -tags grpcnotrace ./admission ./conversion >/dev/null
fi

# Tests that compute for long in one goroutine, as those of schemas do: the race detector would find nothing there.
sequential='Walks$|^TestLimits$|^TestRotation$|^TestF_P1_AnAlertsOwnFault|^TestF_JP2_AMendedService'

# suite NAME COMMAND... runs a suite, and keeps its output and its result.
suite() {
	local name=$1 began=$SECONDS result=ok TIMEFORMAT='%U %S'
	shift
	echo "== $name: started"
	{ time "$@" >"$logs/$name.log" 2>&1; } 2>"$logs/$name.cpu" || result=FAILED
	echo "$name $result $((SECONDS - began)) $(awk '{ print int($1 + $2) }' "$logs/$name.cpu")" >>"$logs/results"
	echo "== $name: $result, $((SECONDS - began)) s"
}

# gotest MODULE ARG... runs go test.
gotest() {
	local cgo=0
	! has "$*" -race || cgo=1
	CGO_ENABLED=$cgo go -C "$1" test -p 4 "${flags[@]}" -count=1 -timeout=20m "${@:2}"
}

# unit MODULE NAME ARG... runs tests of a module.
unit() { ! has "$modules" "$1" || beside suite "$2" gotest "$1" "${@:3}"; }

# package NAME FLAG... runs the tests of a package of test/.
package() { ! has "$suites" "$1" || beside suite "$1" gotest test "${@:2}" "./$1/..."; }

# specs NAME runs a suite of test/ in Ginkgo processes that share a control plane and an operator. The specs mostly wait.
specs() { ! has "$suites" "$1" || beside suite "$1" "$ginkgo" run --no-color --procs=6 --label-filter='!serial' --timeout=20m "test/$1/$1.test"; }

# serial NAME runs those of its specs that need a control plane and an operator for themselves, one after the other.
serial() { ! has "$suites" "$1" || beside suite "$1-serial" "$ginkgo" run --no-color --label-filter=serial --timeout=20m "test/$1/$1.test"; }

# beside COMMAND... starts a command beside what runs, once fewer than three do: more of them overload two cores, and specs miss what
# they look for.
beside() {
	while [ "$(jobs -r | wc -l)" -ge 3 ]; do
		wait -n 2>/dev/null || sleep 1 # bash 3 has no wait -n
	done
	"$@" &
}

# Memory is cheaper than time here, for the control planes above all. A test's process need not wait for reports of races at its end.
export GOGC=300 GOMEMLIMIT=1GiB GORACE=atexit_sleep_ms=0

# What takes long comes first.
unit ./ unit $race -skip "$sequential" $(go list ./... | grep -v internal/catalog/schema$)
specs servicecatalog
specs pager
serial servicecatalog
serial pager
package docs
package removal
package conversion $race
unit ./ sequential -run "$sequential" ./controllers/... ./internal/certificates ./internal/notify/notifytest
package admission $race # in the test's process
unit hack/local/ local $race ./...
package certificates
unit demo/ demo $race ./...
unit ./ schema ./internal/catalog/schema
unit hack/controlplane/ controlplane $race ./...
package internal
package faults
package bench
wait

passed=0 failed=0
while read -r name result _; do
	if [ "$result" = ok ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "== $name: FAILED"
		cat "$logs/$name.log"
	fi
done <"$logs/results"
echo "suite                 result  seconds  of CPU"
while read -r name result seconds cpu; do
	printf '%-21s %-6s %8d %7d\n' "$name" "$result" "$seconds" "$cpu"
	[ "$result" = ok ] || grep -E '^ *(\[FAIL\]|--- FAIL)' "$logs/$name.log" || true
done <"$logs/results"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
