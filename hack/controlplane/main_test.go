// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeGo replaces the go command: "build" writes a program, "tool -n" prints the path of a fake setup-envtest. It records its calls in
// the file "calls" next to it, and fails where a file next to it tells it to ("fail-build-kubectl", "fail-download", …).
const fakeGo = `#!/bin/sh
here=$(dirname "$0")
case $1 in
tool)
	echo "$here/setup-envtest" ;;
mod)
	[ -e "$here/fail-module" ] && { echo '{"Error": "not served"}'; exit 1; }
	echo "{\"Dir\": \"$here/kubernetes\"}" ;;
build)
	for last; do :; done # the package
	while [ "$1" != -o ]; do shift; done
	out=$2 name=$(basename "$last")
	[ "$last" = go.etcd.io/etcd/server/v3 ] && name=etcd
	echo "build $name in $(basename "$PWD") CGO_ENABLED=$CGO_ENABLED GOFLAGS=$GOFLAGS" >>"$here/calls"
	sleep 0.1
	printf half >"$out"
	[ -e "$here/fail-build-$name" ] && { echo "no such module" >&2; exit 1; }
	printf '#!/bin/sh\n' >"$out" && chmod +x "$out" ;;
esac
`

const fakeSetupEnvtest = `#!/bin/sh
here=$(dirname "$0")
echo "setup-envtest $1" >>"$here/calls"
[ -e "$here/hang" ] && exec sleep 60
[ "$1" = list ] && [ -e "$here/fail-list" ] && exit 1
[ "$1" = list ] && exit 0
while [ "$1" != --bin-dir ]; do shift; done
mkdir -p "$2/k8s/x" && cd "$2/k8s/x"
for p in etcd kube-apiserver kubectl; do
	printf '#!/bin/sh\n' >$p && chmod 555 $p
	[ -e "$here/fail-download" ] && exit 1
done
chmod 555 .
echo "$PWD"
`

type fixture struct {
	*finder
	t    *testing.T
	fake string
	log  *bytes.Buffer
}

func newFixture(t *testing.T, files ...string) *fixture {
	t.Helper()
	fake, log := t.TempDir(), &bytes.Buffer{}
	write(t, filepath.Join(fake, "go"), fakeGo)
	write(t, filepath.Join(fake, "setup-envtest"), fakeSetupEnvtest)
	for _, file := range files {
		write(t, filepath.Join(fake, file), "")
	}
	repo := t.TempDir()
	write(t, filepath.Join(repo, "hack", "cluster", "go.mod"), "module x\n")
	return &fixture{t: t, fake: fake, log: log, finder: &finder{
		repo: repo, version: "v1.36.3", pinned: true, cache: filepath.Join(t.TempDir(), "v1.36.3"),
		goCommand: filepath.Join(fake, "go"), log: log, progressInterval: 20 * time.Millisecond, answerTimeout: 5 * time.Second,
	}}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func writePrograms(t *testing.T, dir string, programs ...string) string {
	t.Helper()
	for _, program := range programs {
		write(t, filepath.Join(dir, program), "#!/bin/sh\n")
	}
	return dir
}

func (fx *fixture) recordedCalls() string {
	calls, _ := os.ReadFile(filepath.Join(fx.fake, "calls"))
	return string(calls)
}

func (fx *fixture) mustFind(withControllerManager bool, want string) {
	fx.t.Helper()
	dir, err := fx.find(fx.t.Context(), withControllerManager)
	if err != nil {
		fx.t.Fatalf("%v\n%s", err, fx.log)
	}
	if want != "" && dir != want {
		fx.t.Fatalf("found %s instead of %s", dir, want)
	}
	programs := corePrograms
	if withControllerManager {
		programs = append([]string{controllerManager}, corePrograms...)
	}
	if err := checkPrograms(dir, programs); err != nil {
		fx.t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(fx.cache, "*-[0-9]*"))
	for _, name := range left {
		if !strings.Contains(name, "joined-") {
			fx.t.Errorf("left behind: %s", name)
		}
	}
}

func TestAssetsNeedNoCache(t *testing.T) {
	fx := newFixture(t)
	fx.assets = writePrograms(t, t.TempDir(), corePrograms...)
	fx.cache = ""
	fx.mustFind(false, fx.assets)
}

func TestCacheNeedsNoGo(t *testing.T) {
	fx := newFixture(t)
	writePrograms(t, fx.cache, corePrograms...)
	fx.mustFind(false, fx.cache)
	if calls := fx.recordedCalls(); calls != "" {
		t.Fatalf("calls of the go command: %s", calls)
	}
}

func TestAssetsWithoutAProgramAreSkippedAndNamed(t *testing.T) {
	fx := newFixture(t)
	fx.assets = writePrograms(t, t.TempDir(), "etcd")
	writePrograms(t, fx.cache, corePrograms...)
	fx.mustFind(false, fx.cache)
	if !strings.Contains(fx.log.String(), fx.assets+" has no kube-apiserver, kubectl") {
		t.Errorf("the log does not report it: %s", fx.log)
	}
}

func TestDownloadComesBeforeBuilding(t *testing.T) {
	fx := newFixture(t)
	fx.mustFind(false, fx.cache)
	if strings.Contains(fx.recordedCalls(), "build") {
		t.Errorf("built what can be downloaded: %s", fx.recordedCalls())
	}
}

func TestBuildsWhatCannotBeDownloaded(t *testing.T) {
	for _, failure := range []string{"fail-list", "fail-download"} {
		fx := newFixture(t, failure)
		fx.mustFind(false, fx.cache)
		want := "build etcd in cluster CGO_ENABLED=0 GOFLAGS=-mod=readonly\nbuild kube-apiserver in "
		if !strings.Contains(fx.recordedCalls(), want) {
			t.Errorf("%s: calls: %s", failure, fx.recordedCalls())
		}
		if !strings.Contains(fx.log.String(), "building kubectl, 0 s so far") {
			t.Errorf("%s: no progress: %s", failure, fx.log)
		}
	}
}

func TestAServerThatHangsIsGivenUp(t *testing.T) {
	fx := newFixture(t, "hang")
	fx.answerTimeout = 200 * time.Millisecond
	began := time.Now()
	fx.mustFind(false, fx.cache)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestAFailedBuildIsReportedAndRepeated(t *testing.T) {
	fx := newFixture(t, "fail-list", "fail-build-kubectl")
	_, err := fx.find(t.Context(), false)
	if err == nil {
		t.Fatal("found what could not be built")
	}
	for _, want := range []string{"KUBEBUILDER_ASSETS: not set", "the cache: " + fx.cache, "setup-envtest: ", "building kubectl", "no such module"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}

	// The cache keeps what was built.
	if err := os.Remove(filepath.Join(fx.fake, "fail-build-kubectl")); err != nil {
		t.Fatal(err)
	}
	fx.mustFind(false, fx.cache)
	if builds := strings.Count(fx.recordedCalls(), "build etcd"); builds != 1 {
		t.Errorf("etcd was built %d times", builds)
	}
}

func TestOnlyTheControllerManagerIsBuiltBesideOtherPrograms(t *testing.T) {
	fx := newFixture(t)
	fx.assets = writePrograms(t, t.TempDir(), corePrograms...)
	for range 2 { // the second call finds the folder of the first
		fx.mustFind(true, "")
	}
	if calls := fx.recordedCalls(); strings.Count(calls, "\n") != 1 || !strings.HasPrefix(calls, "build kube-controller-manager") {
		t.Errorf("calls: %s", calls)
	}
}

func TestTwoAtOnceBuildOnce(t *testing.T) {
	fx := newFixture(t, "fail-list")
	var both sync.WaitGroup
	for range 2 {
		other := *fx.finder
		other.log = &bytes.Buffer{}
		both.Go(func() {
			if dir, err := other.find(t.Context(), true); err != nil || dir != fx.cache {
				t.Errorf("%s, %v", dir, err)
			}
		})
	}
	both.Wait()
	if builds := strings.Count(fx.recordedCalls(), "build "); builds != len(corePrograms)+1 {
		t.Errorf("%d builds: %s", builds, fx.recordedCalls())
	}
}

// F-U17
func TestAnotherVersionIsBuiltWithItsOwnDependencies(t *testing.T) {
	fx := newFixture(t, "fail-list", "fail-module")
	fx.version, fx.pinned = "v1.31.13", false
	write(t, filepath.Join(fx.fake, "kubernetes", "go.mod"), "module k8s.io/kubernetes\n\nrequire k8s.io/api v0.0.0\n\nreplace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n)\n")
	write(t, filepath.Join(fx.fake, "kubernetes", "go.sum"), "sums\n")
	if _, err := fx.find(t.Context(), true); err == nil || !strings.Contains(err.Error(), "not served") {
		t.Errorf("the error does not say why there is no module: %v", err)
	}
	if err := os.Remove(filepath.Join(fx.fake, "fail-module")); err != nil {
		t.Fatal(err)
	}
	fx.mustFind(true, fx.cache)
	for _, want := range []string{"build etcd in cluster CGO_ENABLED=0 GOFLAGS=-mod=readonly", "build kube-apiserver in module CGO_ENABLED=0 GOFLAGS=-mod=mod"} {
		if !strings.Contains(fx.recordedCalls(), want) {
			t.Errorf("no %q in the calls:\n%s", want, fx.recordedCalls())
		}
	}
	want := "module bellhop.local/kubernetes\n\nrequire k8s.io/kubernetes v1.31.13\n\nrequire k8s.io/api v0.0.0\n\nreplace (\n\tk8s.io/api => k8s.io/api v0.31.13\n)\n"
	if got, err := os.ReadFile(filepath.Join(fx.cache, "module", "go.mod")); string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
	if got, err := os.ReadFile(filepath.Join(fx.cache, "module", "go.sum")); string(got) != "sums\n" {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestSelectVersion(t *testing.T) {
	others := []string{"v1.31.13", "v1.37.2"}
	for requested, want := range map[string]string{
		"": "v1.36.3", "1.36": "v1.36.3", "1.31": "v1.31.13", "v1.37": "v1.37.2", "1.33.6": "v1.33.6", "v1.33.6": "v1.33.6", "1.30": "", "1": "", "latest": "",
	} {
		if got, err := selectVersion(requested, "v1.36.3", others); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", requested, got, err)
		}
	}
}

func TestPinnedVersion(t *testing.T) {
	for content, want := range map[string]string{
		"require k8s.io/kubernetes v1.36.3 // indirect": "v1.36.3",
		"require (\n\tk8s.io/kubernetes v1.40.0\n)":     "v1.40.0",
		"require k8s.io/api v0.36.3":                    "",
		"replace k8s.io/kubernetes => ../kubernetes":    "",
	} {
		path := filepath.Join(t.TempDir(), "go.mod")
		write(t, path, content)
		if got, err := pinnedVersion(path); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", content, got, err)
		}
	}
	if got := ldflags("v1.36.3"); !strings.Contains(got, "version.gitMajor=1 ") || !strings.Contains(got, "version.gitMinor=36 ") {
		t.Error(got)
	}
}
