// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func TestRenderTakesWhatAnOperatorOutsideNeeds(t *testing.T) {
	m, err := render(filepath.Join("testdata", "config", "default"))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.serviceAccount.GetNamespace() + "/" + m.serviceAccount.GetName(); got != "bellhop-system/bellhop-controller-manager" {
		t.Errorf("ServiceAccount %s", got)
	}
	var kinds []string
	for _, object := range m.accessObjects {
		kinds = append(kinds, object.GetKind())
	}
	if got := strings.Join(kinds, " "); got != "Namespace ServiceAccount ClusterRole ClusterRoleBinding" {
		t.Errorf("rights: %s", got)
	}
	converted, plain := splitByConversion(m.crds)
	if len(converted) != 1 || converted[0].Spec.Names.Kind != "Thing" || len(plain) != 1 {
		t.Errorf("%d CRDs with conversion, %d without", len(converted), len(plain))
	}
	if len(m.mutating) != 0 || len(m.validating) != 1 {
		t.Errorf("%d mutating, %d validating", len(m.mutating), len(m.validating))
	}
}

func TestRenderRefusesWhatHasNoOperator(t *testing.T) {
	if _, err := render(filepath.Join("testdata", "config", "manager")); err == nil || !strings.Contains(err.Error(), "no ServiceAccount") {
		t.Error(err)
	}
}

func TestHostSeenFrom(t *testing.T) {
	for server, want := range map[string]string{"https://127.0.0.1:6443": "127.0.0.1", "https://localhost:1/": "127.0.0.1", "https://[::1]": "127.0.0.1"} {
		if got, err := findHostAddress(t.Context(), server); err != nil || got != want {
			t.Errorf("%s: %s, %v", server, got, err)
		}
	}
	if _, err := findHostAddress(t.Context(), "10.0.0.1"); err == nil {
		t.Error("took an address without scheme")
	}
}

// newFixture returns a repository with the configuration of testdata, and the operator's binary.
func newFixture(t *testing.T) (repo, operator string) {
	t.Helper()
	actual, err := FindRepo()
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	repo = t.TempDir()
	for name, target := range map[string]string{"hack": filepath.Join(actual, "hack"), "config": filepath.Join(here, "testdata", "config")} {
		if err := os.Symlink(target, filepath.Join(repo, name)); err != nil {
			t.Fatal(err)
		}
	}
	operator = filepath.Join(repo, "operator")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", operator, "./testdata/operator").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return repo, operator
}

// kubectl runs kubectl, and fails the test unless its output contains want.
func kubectl(t *testing.T, c *Cluster, want, stdin string, args ...string) {
	t.Helper()
	cmd := c.Kubectl(t.Context(), args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), want) {
		t.Errorf("kubectl %s: %q is not in: %s", strings.Join(args, " "), want, out)
	}
}

const thing = `{apiVersion: test.bellhop.example/v1alpha1, kind: Thing, metadata: {name: %NAME%, namespace: default}, spec: {text: hello}}`

func TestAControlPlaneAnOperatorAndAnotherOneAttached(t *testing.T) {
	repo, binary := newFixture(t)
	audit := filepath.Join(t.TempDir(), "audit.log")
	c, err := Start(t.Context(), Options{Repo: repo, AuditLog: audit, ControllerManager: true})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			_ = c.Stop()
		}
	})

	var logs bytes.Buffer
	if _, err := c.StartOperator(t.Context(), OperatorOptions{Binary: binary, Args: []string{"--fail"}}); err == nil ||
		!strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "operator in bellhop-system") {
		t.Errorf("an operator that fails: %v", err)
	}
	o, err := c.StartOperator(t.Context(), OperatorOptions{Binary: binary, Log: &logs})
	if err != nil {
		t.Fatal(err)
	}

	kubectl(t, c, "thing.test.bellhop.example/good serverside-applied", strings.ReplaceAll(thing, "%NAME%", "good"), "apply", "--server-side", "-f-")
	kubectl(t, c, "refused by the webhook", strings.ReplaceAll(thing, "%NAME%", "bad"), "apply", "-f-")
	kubectl(t, c, "hello", "", "get", "things.v1.test.bellhop.example", "good", "-ojsonpath={.spec.text}")
	kubectl(t, c, "None", "", "get", "crd", "others.test.bellhop.example", "-ojsonpath={.spec.conversion.strategy}")

	// The operator has exactly the rights of its role.
	kubeconfig, err := c.OperatorKubeconfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, c, "good", "", "--kubeconfig", kubeconfig, "get", "things", "-n", "default")
	kubectl(t, c, `User "system:serviceaccount:bellhop-system:bellhop-controller-manager" cannot list`, "", "--kubeconfig", kubeconfig, "get", "others")

	// The controller manager deletes a namespace and its objects.
	kubectl(t, c, "created", "", "create", "namespace", "short")
	kubectl(t, c, "deleted", "", "delete", "namespace", "short", "--timeout=60s")

	o.Kill()
	if !strings.Contains(logs.String(), "operator in bellhop-system") {
		t.Errorf("the operator's log: %q", logs.String())
	}
	kubectl(t, c, "connection refused", strings.ReplaceAll(thing, "%NAME%", "more"), "create", "-f-")
	if o, err = c.StartOperator(t.Context(), OperatorOptions{Binary: binary}); err != nil {
		t.Fatal(err)
	}
	kubectl(t, c, "created", strings.ReplaceAll(thing, "%NAME%", "more"), "create", "-f-")
	if err := o.Stop(); err != nil {
		t.Errorf("stopping the operator: %v", err)
	}

	testAttach(t, c, repo, binary)

	stopped = true
	stopWithAnOpenWatch(t, c)
	if recorded, err := os.ReadFile(audit); err != nil || !bytes.Contains(recorded, []byte(`"resource":"things"`)) ||
		bytes.Contains(recorded, []byte(`"resource":"configmaps"`)) || bytes.Contains(recorded, []byte(`"requestObject"`)) {
		t.Errorf("audit log of %d bytes, %v", len(recorded), err)
	}
}

// F-B9: a user's open watch, for which the API server waits a minute, neither delays the end nor makes it an error.
func stopWithAnOpenWatch(t *testing.T, c *Cluster) {
	t.Helper()
	watch := c.Kubectl(t.Context(), "get", "things.v1.test.bellhop.example", "-n", "default", "--watch", "--output=name")
	out, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "thing.test") {
		t.Fatalf("the watch: %q, %v", line, err)
	}
	began := time.Now()
	if err := c.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if took := time.Since(began); took > 20*time.Second { // 3 s where the machine has nothing else to do
		t.Errorf("it took %s", took)
	}
	_ = watch.Process.Kill()
	_ = watch.Wait()
}

// testAttach attaches to a cluster that has Bellhop's API already, as "make run" does.
func testAttach(t *testing.T, c *Cluster, repo, binary string) {
	t.Helper()
	second, err := Start(t.Context(), Options{Repo: repo, Existing: c.Config})
	if err != nil {
		t.Fatal(err)
	}
	second.KubectlPath = c.KubectlPath
	if second.WebhookURL == c.WebhookURL || !strings.HasPrefix(second.WebhookURL, "https://127.0.0.1:") {
		t.Errorf("webhooks at %s", second.WebhookURL)
	}
	if _, err := second.StartOperator(t.Context(), OperatorOptions{Binary: binary}); err != nil {
		t.Fatal(err)
	}
	kubectl(t, second, "refused by the webhook", strings.ReplaceAll(thing, "%NAME%", "bad"), "create", "-f-")
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
	// No webhook leads to this process any more; objects stay, and conversion leads to the Service of a deployed operator.
	kubectl(t, c, "Webhook ", "", "get", "crd", "things.test.bellhop.example", "-ojsonpath={.spec.conversion.strategy} {.spec.conversion.webhook.clientConfig.service.name}")
	kubectl(t, c, "No resources found", "", "get", "validatingwebhookconfigurations")
	kubectl(t, c, "good", "", "get", "things.v1.test.bellhop.example", "-n", "default")
	kubectl(t, c, "conversion webhook", strings.ReplaceAll(thing, "%NAME%", "bad"), "create", "-f-")
}

// TestMain also runs this binary as the program that TestNothingIsLeftBehindAfterAKill kills.
func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // for envtest; controller-runtime prints a warning if no logger is set
	if repo := os.Getenv("BELLHOP_LOCAL_TEST_VICTIM"); repo != "" {
		c, err := Start(context.Background(), Options{Repo: repo, Dir: os.Getenv("BELLHOP_LOCAL_TEST_DIR")}) //nolint:forbidigo // there is no test here
		if err != nil {
			panic(err)
		}
		_, _ = os.Stdout.WriteString(c.Config.Host + "\n")
		select {}
	}
	os.Exit(m.Run())
}

func TestNothingIsLeftBehindAfterAKill(t *testing.T) {
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("this machine has no setpriv")
	}
	repo, _ := newFixture(t)
	victim := exec.CommandContext(t.Context(), os.Args[0])
	// the test removes what the killed process cannot: everything is in one folder
	temp := t.TempDir()
	victim.Env = append(os.Environ(), "BELLHOP_LOCAL_TEST_VICTIM="+repo, "BELLHOP_LOCAL_TEST_DIR="+filepath.Join(temp, "dir"), "TMPDIR="+temp)
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	victim.Stderr = os.Stderr
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(line[:n]), "https://127.0.0.1:") {
		t.Fatalf("unexpected output: %s", line[:n])
	}
	if len(findProcesses(t, temp)) < 3 {
		t.Fatalf("too few processes: %q", findProcesses(t, temp))
	}
	_ = victim.Process.Kill()
	_ = victim.Wait()
	for deadline := time.Now().Add(10 * time.Second); len(findProcesses(t, temp)) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %q", findProcesses(t, temp))
		}
	}
}

// findProcesses returns the command lines of the processes with a text in their command line or environment.
func findProcesses(t *testing.T, text string) (found []string) {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, process := range processes {
		command, err := os.ReadFile(filepath.Join(process, "cmdline"))
		environment, _ := os.ReadFile(filepath.Join(process, "environ"))
		if err == nil && bytes.Contains(append(command, environment...), []byte(text)) {
			found = append(found, string(bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
		}
	}
	return found
}

func TestFreePortIsNeitherGivenTwiceNorByTheKernel(t *testing.T) {
	given := map[int]bool{}
	for range 100 {
		port, err := FreePort()
		if err != nil || given[port] || port < firstPort || port >= firstPort+ports {
			t.Fatalf("FreePort() = %d, %v, after %d others", port, err, len(given))
		}
		given[port] = true
	}
}

func TestFreePortReservesForOtherProcessesToo(t *testing.T) {
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	if err := reserve(port); err == nil {
		t.Errorf("port %d, which nothing listens on yet, could be reserved again", port)
	}
}

func TestFreePortPassesOverOnesInUse(t *testing.T) {
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	next := firstPort + (port-firstPort+1)%ports
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(next))
	if err == nil { // otherwise another process uses the port, which serves the same purpose
		defer listener.Close()
	}
	if got, err := FreePort(); err != nil || got == next {
		t.Errorf("FreePort() = %d, %v, which is listened on", got, err)
	}
}
