#!/usr/bin/env bash
# Runs the checks that take too long for the gate, in 140 minutes on two cores, or 170 with cold caches, and prints the result of each
# step. The other steps run even if a step fails or exceeds its limit. "hack/nightly.sh soak fuzz" runs these two steps only. SEED=20260131
# repeats the random choices of that day. SLOW=2 gives each step twice its time, on a machine that needs it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export SEED=${SEED:-$(date -u +%Y%m%d)} SLOW=${SLOW:-1}
snapshot=dist/bellhop-v0.0.0-snapshot # what the step release makes

# Prints a number for the day that SEED names, above zero, which grows by one each day, also at the end of a month. SEED may be any other number.
day() {
	local seed=$((10#$SEED)) year month
	year=$((seed / 10000)) month=$((seed / 100 % 100))
	((month > 2)) || year=$((year - 1)) month=$((month + 12))
	echo $((365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + seed % 100 + 1000000))
}

# Builds the operator of the soak, with the race detector.
build_race() { CGO_ENABLED=1 go build -race -tags grpcnotrace -o bin/operator-race .; }

# Builds what takes long with cold caches, so that no other step's limit has to allow for it.
build() {
	local package packages version versions
	go -C hack/controlplane run . -controller-manager
	versions=$(kubernetes_versions)
	for version in $versions; do
		go -C hack/controlplane run . -controller-manager -version="$version"
	done
	build_race
	go -C test build -tags grpcnotrace ./...
	go -C test test -tags grpcnotrace,bench -vet=off -c -o /dev/null ./bench
	go -C test test -tags grpcnotrace -vet=off -c -o /dev/null ./hostile
	go -C test/sender test -tags grpcnotrace -vet=off -ldflags=-w -c -o /dev/null .
	go tool -modfile=hack/tools/ko/go.mod -n ko # of the end-to-end suite, as the next
	go tool -modfile=hack/tools/helm/go.mod -n helm
	go tool -modfile=hack/tools/krew/go.mod -n krew
	compile_release
	hack/sources.sh -build || [ $? = 77 ]
	hack/notifiers.sh -build || [ $? = 77 ]
	CGO_ENABLED=1 go test -race -tags grpcnotrace -vet=off -ldflags=-w -count=1 -run '^$' ./... >/dev/null
	packages=$(fuzz_targets | cut -d: -f1 | uniq)
	for package in $packages; do
		go test -tags grpcnotrace -vet=off -c -fuzz . -o /dev/null "$package" # instrumented, so not what other steps build
	done
}

# Compiles what a release has for the platforms that no other step builds for, and links nothing.
compile_release() {
	local platform
	for platform in darwin/amd64 darwin/arm64 linux/amd64 linux/arm64 windows/amd64 windows/arm64; do
		GOOS=${platform%/*} GOARCH=${platform#*/} CGO_ENABLED=0 go -C cmd/kubectl-bellhop list -trimpath -export -deps . >/dev/null
	done
	for platform in amd64 arm64; do
		GOOS=linux GOARCH=$platform CGO_ENABLED=0 go list -trimpath -tags grpcnotrace -export -deps . >/dev/null
		GOOS=linux GOARCH=$platform CGO_ENABLED=0 go -C demo list -trimpath -tags grpcnotrace -export -deps ./cmd/... >/dev/null
	done
}

# Prints the oldest version of Kubernetes that is supported, and another one: each day the next. The gate has that of hack/cluster/go.mod.
kubernetes_versions() {
	local all
	all=($(go -C hack/controlplane run . -versions)) || return
	[ ${#all[@]} -ge 2 ] || { echo "hack/controlplane has the versions ${all[*]-}, and not two" >&2; return 1; }
	echo "${all[0]} ${all[1 + $(day) % (${#all[@]} - 1)]}"
}

# A fault of two of the eight classes on each scenario. The seed is the date, so that each day selects other faults, and the next class.
sweep() {
	local classes=("crash,answers" "two crashes,events" "stale,leaders" "time,neighbours")
	hack/sweep.sh -seed "$SEED" -class "${classes[$(day) % 4]}" -part 0.0001 -within $((5 * SLOW))m
}

# Another version goes on after a crash, or after the loss of the lease. The seed selects the faults.
skew() { ARGS="-fixed -seed $SEED -within $((4 * SLOW))m" hack/skew.sh; }

# Checks that the sweep detects each variant of the operator that has a mistake: half of them one day, and the others the next.
variants() { ARGS=-variants hack/sweep.sh -share $((1 + $(day) % 2))/2; }

# Up to 300 random histories of real senders, on two processors; each day has others. Then it checks that the suite detects each variant of the operator
# that has a mistake.
sender() {
	local first jobs=() job failed=0
	go -C test/sender test -tags grpcnotrace -vet=off -ldflags=-w -c -o "$PWD/bin/sender.test" .
	for first in 000 500; do
		GOMAXPROCS=1 bin/sender.test -test.v -test.run '^TestHistories$' -test.timeout=2h -seed "$SEED$first" -histories 150 -within $((4 * SLOW))m &
		jobs+=($!)
	done
	for job in "${jobs[@]}"; do
		wait "$job" || failed=1
	done
	(cd test/sender && ../../bin/sender.test -test.run '^TestVariants$' -test.timeout=2h -variants) || failed=1
	return $failed
}

# The suites with all webhooks, rules of the CRDs, statuses, and the objects of the chart, with other versions of Kubernetes. The other suites
# use the API server in the same ways.
versions() {
	local version versions failed=0
	versions=$(kubernetes_versions)
	for version in $versions; do
		echo "--- Kubernetes $version"
		K8S_VERSION=$version MODULES="test/" SUITES="pager servicecatalog admission" hack/test.sh || failed=1
	done
	return $failed
}

# The tests whose code runs in the test's process, with the race detector and all walks.
race() { WALKS=all RACE=1 MODULES="./ demo/ hack/local/ hack/image/ hack/controlplane/ test/" SUITES="conversion admission" hack/test.sh; }

# The race detector terminates the operator at the first race.
soak() {
	build_race
	GORACE=halt_on_error=1 MINUTES=5 hack/soak.sh -operator "$PWD/bin/operator-race"
}

# Checks that the tests detect mistakes in the source of what they test.
mutations() { go test -tags grpcnotrace,mutation -vet=off -count=1 -run '^TestMutations$' ./internal/servicecatalog/osb ./internal/servicecatalog/rules ./internal/pager/alertrules; }

bench() {
	KUBEBUILDER_ASSETS=$(go -C hack/controlplane run . -controller-manager)
	export KUBEBUILDER_ASSETS
	go -C test test -tags grpcnotrace,bench -vet=off -count=1 ./bench
	# Those of functions.
	local packages
	packages=$(grep -rl --include='*_test.go' '^func Benchmark' controllers internal webhooks | sed 's|^|./|; s|/[^/]*$||' | sort -u)
	go test -tags grpcnotrace -vet=off -run '^$' -bench . -benchtime 1x $packages
}

# The attack of the suite hostile for two minutes, with its limits of time.
hostile() {
	KUBEBUILDER_ASSETS=$(go -C hack/controlplane run . -controller-manager)
	export KUBEBUILDER_ASSETS
	go -C test test -tags grpcnotrace -vet=off -count=1 -timeout=20m ./hostile -attack=2m -ginkgo.v
}

# Interrupts each command of the kubectl plugin at each of its requests.
interrupts() {
	KUBEBUILDER_ASSETS=$(go -C hack/controlplane run . -controller-manager)
	export KUBEBUILDER_ASSETS
	WALKS=all go -C test test -tags grpcnotrace -vet=off -ldflags=-w -count=1 -timeout=20m ./plugin -ginkgo.v -ginkgo.focus='Each command leaves what it says'
}

# Prints the fuzz targets, as package:function.
fuzz_targets() { grep -ro --include=*_test.go '^func Fuzz[A-Za-z]*' . | sed 's|/[^/]*_test.go:func |:|' | sort; }

# A run whose only error is that its time is over has found nothing: golang/go#75804. A finding has a message of its own.
fuzz() {
	local target targets output failed=0
	targets=$(fuzz_targets)
	output=$(mktemp)
	for target in $targets; do
		echo "--- $target"
		go test -tags grpcnotrace -vet=off -run '^$' -fuzz "^${target#*:}\$" -fuzztime 7s "${target%:*}" 2>&1 | tee "$output" ||
			[ "$(sed -n '/^--- FAIL/,/^FAIL/p' "$output" | sed '1d;$d')" = "    context deadline exceeded" ] || failed=1
	done
	rm "$output"
	return $failed
}

# The operator with real senders of alerts. Skipped where they cannot be downloaded.
sources() { hack/sources.sh; }

# The lines of Alerts by the rules that VictoriaMetrics publishes. Skipped where its module cannot be downloaded.
rules() {
	local folder
	folder=$(go mod download -json github.com/VictoriaMetrics/VictoriaMetrics@v1.151.0 | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p') || return 77
	[ -n "$folder" ] || return 77
	RULES=$folder/deployment/docker/rules go test -tags grpcnotrace,rules -vet=off -count=1 -run '^TestLinesOfPublishedRules$' ./internal/pager/sourcerules
}

# The notifiers of examples/, in Go and in Python. Skipped where Debian's packages cannot be downloaded.
notifiers() { hack/notifiers.sh; }

# Makes a release of a version that is none, and installs it as the pages say. Nothing is pushed or signed. The step e2e installs it in a cluster.
release() {
	VERSION=v0.0.0-snapshot hack/release.sh
	KUBEBUILDER_ASSETS=$(go -C hack/controlplane run . -controller-manager)
	export KUBEBUILDER_ASSETS RELEASE=$PWD/$snapshot
	go -C test test -tags grpcnotrace -vet=off -ldflags=-w -count=1 ./release
}

# Skipped only if the machine does not meet the requirements of hack/cluster/README.md.
e2e() {
	if [ "$(uname)" != Linux ] || [ "$(id -u)" != 0 ] || ! grep -q ' cgroup .*[, ]memory' /proc/mounts; then
		echo "hack/cluster needs Linux, root and cgroup v1"
		return 77
	fi
	hack/e2e.sh
}

# has_control_planes reports whether the control planes are there. If not, the step build makes them.
has_control_planes() {
	local version versions
	versions=$(kubernetes_versions) || return
	for version in "" $versions; do
		timeout "$((20 * SLOW))" go -C hack/controlplane run . -controller-manager -version="$version" >/dev/null 2>&1 || return 1
	done
}

limit() { # in minutes
	case $1 in
	build) echo 4 ;;
	sweep) echo 6 ;;
	skew) echo 10 ;;
	variants) echo 14 ;;
	sender) echo 10 ;;
	versions) echo 13 ;;
	race) echo 11 ;;
	soak) echo 7 ;;
	mutations) echo 3 ;;
	bench) echo 7 ;;
	hostile) echo 6 ;;
	interrupts) echo 4 ;;
	fuzz) echo 5 ;;
	sources) echo 8 ;;
	rules) echo 2 ;;
	notifiers) echo 3 ;;
	release) echo 5 ;;
	e2e) echo 22 ;;
	*) return 1 ;;
	esac
}

if [ "${1-}" = -step ]; then
	"$2"
	exit
fi

results=() passed=0 failed=0
for name in ${@:-build sweep skew variants sender versions race soak mutations bench hostile interrupts fuzz sources rules notifiers release e2e}; do
	minutes=$(limit "$name") || { echo "there is no step $name" >&2; exit 2; }
	[ "$name" != build ] || has_control_planes || minutes=30
	minutes=$((minutes * SLOW))
	echo "=== $name, at most $minutes minutes, seed $SEED"
	began=$SECONDS rc=0
	timeout --kill-after=1m "${minutes}m" "$0" -step "$name" </dev/null || rc=$?
	case $rc in
	0)
		result=ok passed=$((passed + 1))
		[ "$name" != release ] || export RELEASE=$PWD/$snapshot
		;;
	77) result="skipped: this machine does not meet its requirements" ;;
	124 | 137) result="FAILED: not done in $minutes minutes" failed=$((failed + 1)) ;;
	*) result=FAILED failed=$((failed + 1)) ;;
	esac
	results+=("$(printf '%-10s %5d s  %s' "$name" $((SECONDS - began)) "$result")")
	echo "=== ${results[${#results[@]} - 1]}"
done
printf '%s\n' "nightly, seed $SEED, $SECONDS s:" "${results[@]}" "$passed passed, $failed failed"
[ $failed = 0 ]
