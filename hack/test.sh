#!/usr/bin/env bash
# Runs the tests of every module, with a real control plane where they need one, and prints how long each suite took. MODULES selects
# modules, as MODULES="./ test/", and SUITES selects suites of test/, as SUITES="pager docs". K8S_VERSION=1.31 selects another version of
# Kubernetes, of those in hack/controlplane/versions.txt. The output of suites is in bin/test. With -slowest it only prints, of the last run, how
# long each suite took to start, and the 60 slowest specs and packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
logs=$PWD/bin/test
export TEST_TIMES=$logs/times # suites append what their specs took
if [ "${1-}" = -slowest ]; then
	sort -t$'\t' -k2,2rn "$TEST_TIMES" | awk -F'\t' '
		{ kind[NR] = $1; suite[NR] = $3; line[NR] = sprintf("%7.1f  %-16s %s\n", $2, $3, $4); has[$3 $1] = 1 }
		END {
			for (i = 1; i <= NR; i++)
				if (kind[i] == "start") starts = starts line[i]
				else if ((kind[i] == "spec" || !has[suite[i] "spec"]) && ++n <= 60) slowest = slowest line[i]
			printf "seconds  suite            start of the suite\n%s\nseconds  suite            spec or package\n%s", starts, slowest
		}'
	exit
fi

contains() { [[ " $1 " == *" $2 "* ]]; } # contains LIST ITEM

# require_known VARIABLE KNOWN refuses names that are not in the list KNOWN, which would select nothing, and a value without a name.
require_known() {
	local name
	[ -z "${!1-}" ] || [[ ${!1} == *[![:space:]]* ]] || { echo "$1 is set and has no name, it can have: $2" >&2; exit 2; }
	for name in ${!1-}; do
		contains "$2" "$name" || { echo "$1 has $name, which is none of: $2" >&2; exit 2; }
	done
}

all_suites="pager servicecatalog plugin admission removal certificates injection ingest hostile namespaces apigroups outage upgrade chart docs conversion internal bench faults sender"
require_known MODULES "./ test/ cmd/kubectl-bellhop/ demo/ examples/ hack/local/ hack/image/ hack/controlplane/"
require_known SUITES "$all_suites"
modules=${MODULES:-./}
suites=
if contains "$modules" test/; then
	suites=${SUITES:-$all_suites}
elif [ -n "${SUITES-}" ]; then
	echo "SUITES are of the module test/, which MODULES leaves out" >&2
	exit 2
fi

rm -rf "$logs"
mkdir -p "$logs"

KUBEBUILDER_ASSETS=$(go -C hack/controlplane run . -controller-manager)
export KUBEBUILDER_ASSETS

# RACE=1: tests that run the code under test in their own process use the race detector. It needs a C compiler. Whether it finds a race
# depends on timing, so that these tests run even if nothing has changed.
race=${RACE:+-race} again=${RACE:+-count=1}
flags=(-tags grpcnotrace -vet=off -ldflags=-w) # "make lint" vets
export GOFLAGS=${GOFLAGS--trimpath} # so that a clone in another folder finds results in Go's cache

# All suites run the operator's binary as it is deployed, and the kubectl plugin's as it is released. Programs that several suites need
# are built once, before the suites start.
make --silent build
export BELLHOP_OPERATOR=$PWD/bin/manager
ginkgo=$(go tool -modfile=hack/tools/go.mod -n ginkgo)
! contains "$suites" servicecatalog && ! contains "$suites" namespaces && ! contains "$suites" chart || go tool -modfile=hack/tools/helm/go.mod -n helm >/dev/null
! contains "$suites" chart || go tool -modfile=hack/tools/helm3/go.mod -n helm >/dev/null
if contains "$suites" plugin || contains "$suites" docs; then
	hack/plugin.sh local
	export BELLHOP_PLUGIN=$PWD/bin/kubectl-bellhop
fi
for name in pager servicecatalog plugin; do
	! contains "$suites" $name || CGO_ENABLED=0 go -C test test -c "${flags[@]}" -o $name/$name.test ./$name
done

# Compile packages with the race detector before the suites start: suites that start at the same time would each compile them.
if [ -n "$race" ] && contains "$suites" admission; then
	CGO_ENABLED=1 go -C test list -race -export -deps -test -tags grpcnotrace ./admission ./conversion >/dev/null
fi

# Long computations in one goroutine, as in the tests of schemas, always run without the race detector, which would find nothing there. So
# do tests with many timers in a synctest bubble, where it crashes (golang/go#78156).
sequential='^TestATenantHas|^TestEachEndpointOfATenant|Walks$|^TestLimits$|^TestRotation$|^TestF_P1_AnAlertsOwnFault|^TestF_JP2_AMendedService|^TestF_P72_|^TestCorrectedSecretDelays'

# Tests of costs measure memory, of which the race detector has its own. The gate runs them without it.
costs='Cost|^TestWhatASecretHolds$'

# Tests that read the repository or start go. Go's cache finds results by the paths of files that a test opens, and does not know what a
# program opens. So these always run, and the results of the other tests of their packages are found in each clone. A fuzz target opens the
# folder of its corpus.
files='^Fuzz|^TestConformanceIsComplete$|^TestExactlyOneOf$|^TestSecretRule$|^TestBodiesOfSenders$|^TestEveryReaderIsListed$|^TestListedTestsExist$'

# packages_with REGEXP lists the packages that have tests whose names match, so that none is forgotten when tests move. It fails if there is none.
packages_with() {
	grep -roE --include='*_test.go' '^func (Test|Fuzz)[A-Za-z0-9_]+' controllers internal webhooks |
		sed -E 's|/[^/]*:func | |' | awk -v names="$1" '$2 ~ names { print "./" $1 }' | sort -u | grep .
}

packages=$(go list ./...) skip=$files
packages_of_files=$(packages_with "$files")
packages_of_sequential=$(packages_with "$sequential")
if [ -n "$race" ]; then
	packages=$(grep -v internal/servicecatalog/catalog/schema$ <<<"$packages") skip+="|$sequential|$costs"
fi

# run_suite NAME COMMAND... runs a suite, and stores its output and its result.
run_suite() {
	local name=$1 began=$SECONDS result=ok TIMEFORMAT='%U %S'
	shift
	echo "== $name: started"
	{ time "$@" >"$logs/$name.log" 2>&1; } 2>"$logs/$name.cpu" || result=FAILED
	awk -v name="$name" '$1 == "ok" && $3 ~ /s$/ { printf "package\t%.1f\t%s\t%s\n", $3, name, $2 }' "$logs/$name.log" >>"$TEST_TIMES"
	echo "$name $result $((SECONDS - began)) $(awk '{ print int($1 + $2) }' "$logs/$name.cpu")" >>"$logs/results"
	echo "== $name: $result, $((SECONDS - began)) s"
}

# go_test MODULE ARG... runs go test.
go_test() {
	local cgo=0
	! contains "$*" -race || cgo=1
	CGO_ENABLED=$cgo go -C "$1" test -p 2 "${flags[@]}" -timeout=20m "${@:2}"
}

# start_tests MODULE NAME ARG... starts tests of a module as suite NAME.
start_tests() { ! contains "$modules" "$1" || in_background run_suite "$2" go_test "$1" "${@:3}"; }

# start_package NAME FLAG... starts the tests of a package of test/. They run programs, so Go's cache does not know what they depend on.
start_package() { ! contains "$suites" "$1" || in_background run_suite "$1" go_test test -count=1 "${@:2}" "./$1/..."; }

# start_specs NAME starts a suite of test/ in Ginkgo processes that share a control plane and an operator. There are more processes than
# cores, since specs mostly wait.
start_specs() { ! contains "$suites" "$1" || in_background run_suite "$1" "$ginkgo" run --no-color --procs=6 --label-filter='!serial' --timeout=20m "test/$1/$1.test"; }

# start_serial_specs NAME starts the specs of a suite that need their own control plane and operator, one after the other.
start_serial_specs() { ! contains "$suites" "$1" || in_background run_suite "$1-serial" "$ginkgo" run --no-color --label-filter=serial --timeout=20m "test/$1/$1.test"; }

# in_background run_suite NAME COMMAND... starts a suite in the background once fewer than two run: more would overload two cores, and requests
# would exceed their time limits.
started=
in_background() {
	started+=" $2"
	while [ "$(jobs -r | wc -l)" -ge 2 ]; do
		wait -n 2>/dev/null || sleep 1 # bash 3 has no wait -n
	done
	"$@" &
}

# More memory and less garbage collection, above all for the control planes. A test process does not wait for race reports at its end.
export GOGC=300 GOMEMLIMIT=1GiB GORACE=atexit_sleep_ms=0

# Long suites start first.
start_tests ./ unit $race $again -skip "$skip" $packages
start_specs servicecatalog
start_specs pager
start_package docs
start_serial_specs servicecatalog
start_serial_specs pager
start_specs plugin
start_serial_specs plugin
! contains "$suites" sender || in_background run_suite sender go_test test/sender -count=1 . # a module of its own, for its dependencies
start_package removal
start_package conversion $race
[ -z "$race" ] || start_tests ./ sequential -count=1 -run "$sequential" $packages_of_sequential
start_package admission $race # the webhooks run in the test's process
start_tests hack/local/ local $race -count=1 ./... # it runs programs, as do image and controlplane
start_package certificates
start_package injection
start_package ingest
start_package hostile
start_package namespaces
start_package apigroups
start_package outage
start_package upgrade
start_package chart
start_tests cmd/kubectl-bellhop/ kubectl-bellhop ./... # tables; its suite runs the binary
start_tests cmd/kubectl-bellhop/ reasons -count=1 ./internal/reasons # Go's cache ignores the files above the module that it reads
start_tests demo/ demo $race $again ./...
[ -z "$race" ] || start_tests ./ schema ./internal/servicecatalog/catalog/schema
start_tests hack/image/ image $race -count=1 ./...
start_tests hack/controlplane/ controlplane $race -count=1 ./...
start_tests ./ files $race -count=1 -run "$files" $packages_of_files
start_package internal
start_package faults
start_package bench
wait

# A suite whose process ended before it wrote its result has none, nor if another run in this clone has removed the folder.
mkdir -p "$logs"
touch "$logs/results"
for name in $started; do
	grep -q "^$name " "$logs/results" || { echo "$name FAILED 0 0" >>"$logs/results"; echo "there is no result" >>"$logs/$name.log"; }
done
[ -n "$started" ] || { echo "no suite was selected" >&2; exit 2; }

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
echo "$passed passed, $failed failed, the slowest specs: hack/test.sh -slowest"
[ $failed = 0 ]
