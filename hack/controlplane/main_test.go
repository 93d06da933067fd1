/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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

// fakeGo stands for the go command: "build" writes a program, "tool -n" names a fake setup-envtest. It notes its calls in
// the file "calls" beside it, and fails at what a file beside it tells it to ("fail-build-kubectl", "fail-download", …).
const fakeGo = `#!/bin/sh
here=$(dirname "$0")
case $1 in
tool)
	echo "$here/setup-envtest" ;;
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

type world struct {
	*finder
	t    *testing.T
	fake string
	log  *bytes.Buffer
}

func newWorld(t *testing.T, files ...string) *world {
	t.Helper()
	fake, log := t.TempDir(), &bytes.Buffer{}
	write(t, filepath.Join(fake, "go"), fakeGo)
	write(t, filepath.Join(fake, "setup-envtest"), fakeSetupEnvtest)
	for _, file := range files {
		write(t, filepath.Join(fake, file), "")
	}
	repo := t.TempDir()
	write(t, filepath.Join(repo, "hack", "cluster", "go.mod"), "module x\n")
	return &world{t: t, fake: fake, log: log, finder: &finder{
		repo: repo, version: "v1.36.3", cache: filepath.Join(t.TempDir(), "v1.36.3"),
		goCommand: filepath.Join(fake, "go"), log: log, tick: 20 * time.Millisecond, reachable: 5 * time.Second,
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

func programsIn(t *testing.T, dir string, programs ...string) string {
	t.Helper()
	for _, program := range programs {
		write(t, filepath.Join(dir, program), "#!/bin/sh\n")
	}
	return dir
}

func (w *world) calls() string {
	calls, _ := os.ReadFile(filepath.Join(w.fake, "calls"))
	return string(calls)
}

func (w *world) mustFind(withControllerManager bool, want string) {
	w.t.Helper()
	dir, err := w.find(w.t.Context(), withControllerManager)
	if err != nil {
		w.t.Fatalf("%v\n%s", err, w.log)
	}
	if want != "" && dir != want {
		w.t.Fatalf("found %s instead of %s", dir, want)
	}
	programs := core
	if withControllerManager {
		programs = append([]string{controllerManager}, core...)
	}
	if err := missing(dir, programs); err != nil {
		w.t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(w.cache, "*-[0-9]*"))
	for _, name := range left {
		if !strings.Contains(name, "joined-") {
			w.t.Errorf("left behind: %s", name)
		}
	}
}

func TestAssetsNeedNoCache(t *testing.T) {
	w := newWorld(t)
	w.assets = programsIn(t, t.TempDir(), core...)
	w.cache = ""
	w.mustFind(false, w.assets)
}

func TestCacheNeedsNoGo(t *testing.T) {
	w := newWorld(t)
	programsIn(t, w.cache, core...)
	w.mustFind(false, w.cache)
	if calls := w.calls(); calls != "" {
		t.Fatalf("called for nothing: %s", calls)
	}
}

func TestAssetsWithoutAProgramAreSkippedAndNamed(t *testing.T) {
	w := newWorld(t)
	w.assets = programsIn(t, t.TempDir(), "etcd")
	programsIn(t, w.cache, core...)
	w.mustFind(false, w.cache)
	if !strings.Contains(w.log.String(), w.assets+" has no kube-apiserver, kubectl") {
		t.Errorf("nothing says so: %s", w.log)
	}
}

func TestDownloadComesBeforeBuilding(t *testing.T) {
	w := newWorld(t)
	w.mustFind(false, w.cache)
	if strings.Contains(w.calls(), "build") {
		t.Errorf("built what can be downloaded: %s", w.calls())
	}
}

func TestBuildsWhatCannotBeDownloaded(t *testing.T) {
	for _, failure := range []string{"fail-list", "fail-download"} {
		w := newWorld(t, failure)
		w.mustFind(false, w.cache)
		want := "build etcd in cluster CGO_ENABLED=0 GOFLAGS=-mod=readonly\nbuild kube-apiserver in "
		if !strings.Contains(w.calls(), want) {
			t.Errorf("%s: calls: %s", failure, w.calls())
		}
		if !strings.Contains(w.log.String(), "building kubectl, 0 s so far") {
			t.Errorf("%s: no progress: %s", failure, w.log)
		}
	}
}

func TestAServerThatHangsIsGivenUp(t *testing.T) {
	w := newWorld(t, "hang")
	w.reachable = 200 * time.Millisecond
	began := time.Now()
	w.mustFind(false, w.cache)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestAFailedBuildIsNotBelieved(t *testing.T) {
	w := newWorld(t, "fail-list", "fail-build-kubectl")
	_, err := w.find(t.Context(), false)
	if err == nil {
		t.Fatal("found what could not be built")
	}
	for _, want := range []string{"KUBEBUILDER_ASSETS: not set", "the cache: " + w.cache, "setup-envtest: ", "building kubectl", "no such module"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}

	// What was built is kept, what was not is built.
	if err := os.Remove(filepath.Join(w.fake, "fail-build-kubectl")); err != nil {
		t.Fatal(err)
	}
	w.mustFind(false, w.cache)
	if builds := strings.Count(w.calls(), "build etcd"); builds != 1 {
		t.Errorf("etcd was built %d times", builds)
	}
}

func TestOnlyTheControllerManagerIsBuiltBesideOtherPrograms(t *testing.T) {
	w := newWorld(t)
	w.assets = programsIn(t, t.TempDir(), core...)
	for range 2 { // the second finds the folder of the first
		w.mustFind(true, "")
	}
	if calls := w.calls(); strings.Count(calls, "\n") != 1 || !strings.HasPrefix(calls, "build kube-controller-manager") {
		t.Errorf("calls: %s", calls)
	}
}

func TestTwoAtOnceBuildOnce(t *testing.T) {
	w := newWorld(t, "fail-list")
	var both sync.WaitGroup
	for range 2 {
		other := *w.finder
		other.log = &bytes.Buffer{}
		both.Go(func() {
			if dir, err := other.find(t.Context(), true); err != nil || dir != w.cache {
				t.Errorf("%s, %v", dir, err)
			}
		})
	}
	both.Wait()
	if builds := strings.Count(w.calls(), "build "); builds != len(core)+1 {
		t.Errorf("%d builds: %s", builds, w.calls())
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
