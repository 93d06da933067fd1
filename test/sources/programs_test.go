// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sources_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"

	"github.com/gophernetes/bellhop/hack/local"
)

// program is a sender that runs as a process.
type program struct {
	path string
	args []string
	// ready is a URL that answers with 200 once the program runs.
	ready   string
	session *gexec.Session
}

// start starts the program, or starts it again with the same files, and waits until it is ready.
func (p *program) start(ctx context.Context) {
	GinkgoHelper()
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir = filepath.Join(senders, "..", "..")
	var err error
	p.session, err = gexec.Start(cmd, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(p.session.Kill)
	Eventually(ctx, func() error {
		if code := p.session.ExitCode(); code >= 0 {
			return StopTrying(fmt.Sprintf("%s ended with exit code %d", p.path, code))
		}
		return get(ctx, p.ready)
	}).Should(Succeed())
}

// kill sends SIGKILL, and waits until the process is gone.
func (p *program) kill() {
	GinkgoHelper()
	Eventually(p.session.Kill()).Should(gexec.Exit())
}

func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

// exporter serves the metric disk_used of some disks. The value of a disk that is full changes with each scrape.
type exporter struct {
	URL string

	mu      sync.Mutex
	full    []string
	scrapes int
}

func startExporter(full ...string) *exporter {
	e := &exporter{full: full}
	server := httptest.NewServer(e)
	DeferCleanup(server.Close)
	e.URL = server.URL
	return e
}

// clear has no disk be full any more.
func (e *exporter) clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.full = nil
}

// ServeHTTP serves a scrape. A disk that is not full has no metric.
func (e *exporter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.scrapes++
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintln(w, "# TYPE disk_used gauge")
	for _, name := range e.full {
		fmt.Fprintf(w, "disk_used{disk=%q} %g\n", name, 96+math.Mod(float64(e.scrapes), 7)/2)
	}
}

func (e *exporter) address() string { return strings.TrimPrefix(e.URL, "http://") }

// disks are the names of n disks.
func disks(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("disk-%03d", i)
	}
	return names
}

// rules is a file of rules for Prometheus and vmalert, which are evaluated every second. On a busy machine some scrapes take too long.
const rules = `groups:
- name: disks
  interval: 1s
  rules:
  - alert: DiskFull
    expr: last_over_time(disk_used[6s]) > 95
    labels:
      severity: critical
    annotations:
      summary: A disk is full
      description: '{{ $labels.disk }} is full to {{ $value }} %'
`

// write writes a file into a new folder, and returns its path.
func write(name, text string) string {
	GinkgoHelper()
	path := filepath.Join(GinkgoT().TempDir(), name)
	Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
	return path
}

// newPrometheus returns a Prometheus that evaluates the rules every second, and posts what fires to an Alertmanager, or to what looks like one, as
// an item of alertmanagers in its configuration. It posts again after resend.
func newPrometheus(from *exporter, alertmanager string, resend time.Duration) *program {
	GinkgoHelper()
	address := freeAddress()
	config := write("prometheus.yml", fmt.Sprintf(`global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs:
- job_name: shop
  static_configs: [{targets: [%q]}]
alerting:
  alertmanagers:
  - %s
`, write("rules.yml", rules), from.address(), alertmanager))
	return &program{
		path: filepath.Join(senders, "prometheus"), ready: "http://" + address + "/-/ready",
		args: []string{"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(GinkgoT().TempDir(), "data"), "--web.listen-address=" + address,
			"--rules.alert.resend-delay=" + resend.String(), "--log.level=warn"},
	}
}

// alertmanager is the item of alertmanagers that leads to the source.
func (s *source) alertmanager() string {
	return fmt.Sprintf(`{scheme: https, path_prefix: %s, authorization: {credentials: %s}, tls_config: {ca_file: %s}, static_configs: [{targets: [%q]}]}`,
		s.path(), token, caFile, s.gate.host())
}

// newAlertmanager returns an Alertmanager that groups by some labels and posts to the webhook of a source. The second result is the item of
// Prometheus for it.
func newAlertmanager(path string, to *source, groupBy string) (_ *program, item string) {
	GinkgoHelper()
	address := freeAddress()
	config := write("alertmanager.yml", fmt.Sprintf(`route: {receiver: bellhop, group_by: [%q], group_wait: 1s, group_interval: 5s, repeat_interval: 1h}
receivers:
- name: bellhop
  webhook_configs:
  - url: %s%s/webhook
    http_config: {authorization: {credentials: %s}, tls_config: {ca_file: %s}}
`, groupBy, to.gate.URL, to.path(), token, caFile))
	return &program{
		path: path, ready: "http://" + address + "/-/ready",
		args: []string{"--config.file=" + config, "--storage.path=" + filepath.Join(GinkgoT().TempDir(), "data"), "--web.listen-address=" + address,
			"--cluster.listen-address=", "--log.level=warn"},
	}, fmt.Sprintf("static_configs: [{targets: [%q]}]", address)
}

// newVictoriaMetrics returns a VictoriaMetrics that scrapes every second, and its URL.
func newVictoriaMetrics(from *exporter) (_ *program, url string) {
	GinkgoHelper()
	address := freeAddress()
	scrape := write("scrape.yml", fmt.Sprintf("scrape_configs:\n- job_name: shop\n  scrape_interval: 1s\n  static_configs: [{targets: [%q]}]\n", from.address()))
	return &program{
		path: filepath.Join(senders, "victoria-metrics"), ready: "http://" + address + "/health",
		args: []string{"-storageDataPath=" + filepath.Join(GinkgoT().TempDir(), "data"), "-httpListenAddr=" + address, "-promscrape.config=" + scrape,
			"-search.latencyOffset=0s", "-search.maxStalenessInterval=3s", "-loggerLevel=WARN"},
	}, "http://" + address
}

// newVMAlert returns a vmalert that posts to a source.
func newVMAlert(datasource string, to *source) *program {
	GinkgoHelper()
	address := freeAddress()
	return &program{
		path: filepath.Join(senders, "vmalert"), ready: "http://" + address + "/health",
		args: []string{"-rule=" + write("rules.yml", rules), "-datasource.url=" + datasource, "-httpListenAddr=" + address, "-evaluationInterval=1s",
			"-notifier.url=" + to.gate.URL + to.path(), "-notifier.bearerToken=" + token, "-notifier.tlsCAFile=" + caFile,
			"-external.url=http://vmalert.example.com", "-loggerLevel=WARN"},
	}
}

// addWithAmtool posts an alert to a source.
func addWithAmtool(ctx context.Context, to *source, args ...string) {
	GinkgoHelper()
	config := write("amtool.yml", fmt.Sprintf("{authorization: {credentials: %s}, tls_config: {ca_file: %s}}\n", token, caFile))
	cmd := exec.CommandContext(ctx, filepath.Join(senders, "amtool"), append([]string{"alert", "add",
		"--alertmanager.url=" + to.gate.URL + to.path(), "--http.config.file=" + config}, args...)...)
	out, err := cmd.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(out))
}

func freeAddress() string {
	GinkgoHelper()
	port, err := local.FreePort()
	Expect(err).NotTo(HaveOccurred())
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// recordingBodies records the different bodies of requests.
func (g *gate) recordingBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender is gone
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		g.mu.Lock()
		g.bodies[string(body)] = true
		g.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// texts are the different values of the annotation description that were posted.
func (g *gate) texts() map[string]bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := map[string]bool{}
	for body := range g.bodies {
		_, after, _ := strings.Cut(body, `"description":"`)
		text, _, _ := strings.Cut(after, `"`)
		found[text] = true
	}
	return found
}
