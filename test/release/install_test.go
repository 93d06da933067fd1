// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/hack/local"
)

// A stranger has a home, kubectl, perhaps a cluster, and the files of the release at an address. Nothing of Bellhop is installed.
type stranger struct {
	home    string
	environ []string
}

// published returns where the pages find the files of the newest release in the changelog, and its version without v.
func published(t *testing.T) (base, version string) {
	t.Helper()
	version = regexp.MustCompile(`(?m)^## (\d\S*)`).FindStringSubmatch(read(t, repo(t), "CHANGELOG.md"))[1]
	return "https://github.com/gophernetes/bellhop/releases/download/v" + version, version
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	folder(t)
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".local", "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	paths := filepath.Join(home, ".local", "bin") + ":" + filepath.Join(home, ".krew", "bin") + ":" + os.Getenv("KUBEBUILDER_ASSETS")
	return &stranger{home, []string{
		"HOME=" + home, "PATH=" + paths + ":" + os.Getenv("PATH"), "KUBECONFIG=" + filepath.Join(home, "kubeconfig"), "KREW_ROOT=" + filepath.Join(home, ".krew"),
		"HELM_CACHE_HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_DATA_HOME=" + home,
	}}
}

// link adds a tool to the programs of the stranger.
func (s *stranger) link(t *testing.T, module, tool, as string) {
	t.Helper()
	path, err := local.FindTool(t.Context(), module, tool)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, filepath.Join(s.home, ".local", "bin", as)); err != nil {
		t.Fatal(err)
	}
}

// startControlPlane starts a cluster without nodes.
func (s *stranger) startControlPlane(t *testing.T) {
	t.Helper()
	log.SetLogger(logr.Discard())
	env := &envtest.Environment{}
	if _, err := env.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(s.home, "kubeconfig"), env.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
}

// established is what kubectl waits for after it has created definitions, which have no conditions at first.
const established = `kubectl wait --timeout=30s --for=jsonpath='{.status.conditions[?(@.type=="Established")].status}'=True crd `

// do runs commands in a shell, in the stranger's home.
func (s *stranger) do(t *testing.T, commands string) string {
	t.Helper()
	out, err := run(t, s.home, s.environ, "bash", "-euo", "pipefail", "-c", commands)
	if err != nil {
		t.Fatalf("%s\n%v\n%s", commands, err, out)
	}
	return out
}

// block returns the commands of a page from the line with a beginning to the end of its block, or to the line that begins with end, if it is not "".
func block(t *testing.T, page, beginning, end string) string {
	t.Helper()
	text := read(t, repo(t), "docs", page)
	found := regexp.MustCompile("(?ms)^ *(" + regexp.QuoteMeta(beginning) + ".*?)^ *```$").FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("%s has no block with %s", page, beginning)
	}
	commands := regexp.MustCompile(`(?m)^ +`).ReplaceAllString(found[1], "")
	if end == "" {
		return commands
	}
	before, _, cut := strings.Cut(commands, "\n"+end)
	if !cut {
		t.Fatalf("the block of %s has no %s", page, end)
	}
	return before
}

// serve serves the files of the release, and returns the commands with its address instead of the published one.
func serve(t *testing.T, commands string) string {
	t.Helper()
	release, _ := folder(t)
	server := httptest.NewServer(http.FileServer(http.Dir(release)))
	t.Cleanup(server.Close)
	base, _ := published(t)
	if !strings.Contains(commands, base) {
		t.Fatalf("the commands do not have %s:\n%s", base, commands)
	}
	return strings.ReplaceAll(commands, base, server.URL)
}

// F-U28: the manifests are downloaded, checked and applied by the page of installing. The other sets of manifests are applied after it.
func TestManifests(t *testing.T) {
	s := newStranger(t)
	s.startControlPlane(t)
	release, version := folder(t)
	base, _ := published(t)
	out := s.do(t, serve(t, block(t, "install/README.md", "base="+base, "kubectl rollout status")))
	if !strings.Contains(out, "install.yaml: OK") || !strings.Contains(out, "deployment.apps/bellhop-controller-manager serverside-applied") {
		t.Error(out)
	}
	paths, err := filepath.Glob(filepath.Join(release, "in*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if out := s.do(t, "kubectl apply --server-side --force-conflicts --validate=strict -f "+path); strings.Contains(out, "Warning") {
			t.Error(out)
		}
	}
	s.do(t, established+"--selector app.kubernetes.io/name=bellhop")
	for line := range strings.Lines(s.do(t, "kubectl get deployments --namespace bellhop-system -o jsonpath='{range .items[*]}{.spec.template.spec.containers[*].image}{\"\\n\"}{end}'")) {
		if strings.TrimSpace(line) != registry+"bellhop:"+version {
			t.Errorf("a Deployment has the image %s", line)
		}
	}
}

// F-U28: the chart is installed from its archive as the page says, with all that is off by default, and its notes lead to pages.
func TestChart(t *testing.T) {
	s := newStranger(t)
	s.startControlPlane(t)
	s.link(t, "hack/tools/helm", "helm", "helm")
	release, version := folder(t)
	base, newest := published(t)
	commands := block(t, "install/README.md", "curl -fLO "+base+"/bellhop-"+newest+".tgz", "")
	install := strings.ReplaceAll(serve(t, commands), "bellhop-"+newest+".tgz", "bellhop-"+version[1:]+".tgz")
	notes := s.do(t, strings.TrimSpace(install)+" --set ingest.enabled=true,injection.enabled=true,pageByLabel.enabled=true")
	if !strings.Contains(notes, "Bellhop "+version+" is installed in the namespace bellhop-system.") || !strings.Contains(notes, "/docs/reference/receivers.md") {
		t.Error(notes)
	}
	image := s.do(t, "kubectl get deployment --namespace bellhop-system bellhop-controller-manager -o jsonpath='{.spec.template.spec.containers[*].image}'")
	if image != registry+"bellhop:"+version {
		t.Errorf("the Deployment has the image %s", image)
	}
	s.do(t, "helm upgrade bellhop "+filepath.Join(release, "bellhop-"+version[1:]+".tgz")+" --namespace bellhop-system")
	if left := s.do(t, "helm uninstall bellhop --namespace bellhop-system && kubectl get crds -o name"); !strings.Contains(left, "alerts.pager.k8s.co") {
		t.Errorf("helm uninstall leaves %s", left)
	}
}

// F-U28: the plugin is installed from its archive by the page, and says its version.
func TestPluginFromArchive(t *testing.T) {
	s := newStranger(t)
	_, version := folder(t)
	base, _ := published(t)
	commands := block(t, "how-to/use-kubectl-bellhop.md", "base="+base, "")
	out := s.do(t, serve(t, strings.ReplaceAll(commands, "linux_amd64", runtime.GOOS+"_"+runtime.GOARCH)))
	if !strings.Contains(out, ".tar.gz: OK") {
		t.Error(out)
	}
	expectPlugin(t, s, version)
	if out := s.do(t, "kubectl __complete bellhop ver"); !strings.Contains(out, "version\t") {
		t.Errorf("kubectl completes %s", out)
	}
}

func expectPlugin(t *testing.T, s *stranger, version string) {
	t.Helper()
	if out := s.do(t, "kubectl bellhop version --client"); !strings.Contains(out, version) {
		t.Errorf("the plugin prints %s", out)
	}
}

// F-U28: krew takes the manifest of the release, with the archive of each platform.
func TestPluginByKrew(t *testing.T) {
	s := newStranger(t)
	s.link(t, "hack/tools/krew", "krew", "kubectl-krew")
	release, version := folder(t)
	install := "kubectl krew install --manifest=" + filepath.Join(release, "krew.yaml") + " --archive=" + filepath.Join(release, "kubectl-bellhop_")
	for _, platform := range []string{"darwin", "linux", "windows"} {
		for _, arch := range architectures {
			ending := map[bool]string{true: ".zip", false: ".tar.gz"}[platform == "windows"]
			s.do(t, "export KREW_OS="+platform+" KREW_ARCH="+arch+" KREW_ROOT=$HOME/"+platform+"-"+arch+"; "+install+platform+"_"+arch+ending)
		}
	}
	s.do(t, install+runtime.GOOS+"_"+runtime.GOARCH+".tar.gz")
	expectPlugin(t, s, version)
	manifest := read(t, release, "krew.yaml")
	for _, match := range regexp.MustCompile(`uri: https://github\.com/gophernetes/bellhop/releases/download/([^/]*)/(\S+)`).FindAllStringSubmatch(manifest, -1) {
		if _, err := os.Stat(filepath.Join(release, match[2])); err != nil || match[1] != version {
			t.Errorf("the manifest has %s: %v", match[0], err)
		}
	}
}

// F-U28: the objects of the page for Flux and Argo CD are valid by the definitions in their modules.
func TestGitOps(t *testing.T) {
	s := newStranger(t)
	s.startControlPlane(t)
	s.do(t, "kubectl create namespace flux-system; kubectl create namespace argocd")
	page := read(t, repo(t), "docs", "install", "gitops.md")
	var objects []string
	for _, match := range regexp.MustCompile("(?ms)^```yaml foreign\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		objects = append(objects, regexp.MustCompile(`(?m)^---\n`).Split(match[1], -1)...)
	}
	for _, definition := range []struct{ module, file, kind string }{
		{"github.com/fluxcd/source-controller@v1.8.5", "config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml", "OCIRepository"},
		{"github.com/fluxcd/helm-controller@v1.4.0", "config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml", "HelmRelease"},
		{"github.com/argoproj/argo-cd/v3@v3.2.1", "manifests/crds/application-crd.yaml", "Application"},
	} {
		t.Run(definition.kind, func(t *testing.T) {
			dir, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", definition.module).Output()
			found := regexp.MustCompile(`"Dir": "(.*)"`).FindSubmatch(dir)
			if found == nil {
				t.Fatalf("%s cannot be downloaded: %v", definition.module, err)
			}
			s.do(t, "kubectl apply --server-side -f "+filepath.Join(string(found[1]), definition.file)+"; "+established+"--all")
			count := 0
			for _, object := range objects {
				if !strings.Contains(object, "\nkind: "+definition.kind+"\n") {
					continue
				}
				count++
				path := filepath.Join(t.TempDir(), "object.yaml")
				if err := os.WriteFile(path, []byte(object), 0o600); err != nil {
					t.Fatal(err)
				}
				s.do(t, "kubectl create --dry-run=server --validate=strict -f "+path)
			}
			if count == 0 {
				t.Errorf("the page has no %s", definition.kind)
			}
		})
	}
}
