// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package local runs Bellhop on this machine: it starts a control plane or attaches to an existing cluster, installs config/, and runs
// the operator's binary as a process with exactly the rights that config/ gives it. "make run", the demo and the test suites use it.
//
// Webhooks and CRD conversion are served from this machine: where config/ names a Service, the API server gets a URL instead.
// Deployment, Services and Secrets of config/ are not installed.
package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Options choose the control plane. The zero value starts one for the repository that contains the working directory.
type Options struct {
	// Repo is the path of Bellhop's repository.
	Repo string
	// Overlay is the folder in config/ whose manifests are installed. Default: default.
	Overlay string
	// Existing is a cluster to attach to. Default: start a control plane.
	Existing *rest.Config
	// Host is the address at which the API server reaches this machine. Default: loopback if the API server is on loopback, else the
	// address that this machine uses towards it.
	Host string
	// AuditLog is a file for the API server's audit log, which has every request of the operator, and all requests about Bellhop's API
	// groups and Secrets, without bodies. Not for an existing cluster.
	AuditLog string
	// ControllerManager also runs kube-controller-manager, which deletes namespaces, collects garbage and aggregates roles. Not for an
	// existing cluster.
	ControllerManager bool
	// Dir is a folder for temporary files. Default: a temporary folder, which Stop removes.
	Dir string
}

// A Cluster is a control plane with Bellhop's API that calls webhooks on this machine.
type Cluster struct {
	// Config has the rights of an administrator.
	Config *rest.Config
	// Kubeconfig is the path of a kubeconfig with the rights of Config.
	Kubeconfig string
	// KubectlPath is the path of kubectl.
	KubectlPath string
	// WebhookURL is where the API server calls the operator's webhooks; WebhookPort is its port.
	WebhookURL  string
	WebhookPort int
	// EtcdURL is where etcd serves HTTP without credentials; empty: the control plane was there before.
	EtcdURL string
	// Namespace and ServiceAccount are the operator's.
	Namespace, ServiceAccount string

	repo, dir string
	overlay   string
	client    client.Client
	manifests *manifests
	hooks     *envtest.WebhookInstallOptions
	existing  bool
	renewing  bool                        // OperatorKubeconfig renews the token already
	kill      func(context.Context) error // kills the API server; nil for an existing cluster
	restart   func(context.Context) error // restarts the API server; nil for an existing cluster
	cleanups  []func() error              // in the order in which they were added
}

var scheme = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}()

// Start starts or attaches to a cluster, and installs Bellhop's API. It does not start the operator.
func Start(ctx context.Context, options Options) (_ *Cluster, err error) {
	c := &Cluster{repo: options.Repo, overlay: cmp.Or(options.Overlay, "default"), dir: options.Dir, Config: options.Existing, existing: options.Existing != nil}
	defer func() { //nolint:contextcheck // it has to clean up above all when the context has ended
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if c.repo == "" {
		if c.repo, err = FindRepo(); err != nil {
			return nil, err
		}
	}
	if c.manifests, err = render(filepath.Join(c.repo, "config", c.overlay)); err != nil {
		return nil, err
	}
	c.Namespace, c.ServiceAccount = c.manifests.serviceAccount.GetNamespace(), c.manifests.serviceAccount.GetName()
	if err := c.createDir(); err != nil {
		return nil, err
	}

	var binaries string
	if c.existing {
		c.KubectlPath = "kubectl" // from PATH, if it is installed
	} else {
		if binaries, err = findControlPlane(ctx, c.repo, options.ControllerManager); err != nil {
			return nil, err
		}
		c.KubectlPath = filepath.Join(binaries, "kubectl")
		if err := c.startControlPlane(ctx, binaries, options.AuditLog); err != nil {
			return nil, err
		}
	}
	if c.client, err = client.New(c.Config, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	c.Kubeconfig = filepath.Join(c.dir, "admin.kubeconfig")
	if err := WriteKubeconfig(c.Kubeconfig, c.Config, authInfoOf(c.Config)); err != nil {
		return nil, err
	}
	if err := c.install(ctx, options.Host); err != nil {
		return nil, err
	}
	if options.ControllerManager && !c.existing {
		return c, c.startControllerManager(ctx, filepath.Join(binaries, "kube-controller-manager"))
	}
	return c, nil
}

// Stop ends what Start and StartOperator have started. From an existing cluster it removes the webhooks, whose URLs nothing serves
// afterwards; CRDs, objects and RBAC stay.
func (c *Cluster) Stop() error {
	var errs []error
	if c.existing && c.hooks != nil {
		errs = append(errs, c.removeWebhooks(context.Background()))
	}
	for _, stop := range slices.Backward(c.cleanups) {
		errs = append(errs, stop())
	}
	c.cleanups = nil
	return errors.Join(errs...)
}

// Kubectl returns a command that runs kubectl as administrator.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.KubectlPath, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	return cmd
}

// FindRepo returns the repository that contains the working directory.
func FindRepo() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "hack", "controlplane", "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not in bellhop's repository", start)
		}
	}
}

// FindTool returns the path of a tool that the module in a directory of the repository pins. Go builds it where its cache does not have it.
func FindTool(ctx context.Context, module, tool string) (string, error) {
	repo, err := FindRepo()
	if err != nil {
		return "", err
	}
	path, err := exec.CommandContext(ctx, "go", "tool", "-modfile="+filepath.Join(repo, module, "go.mod"), "-n", tool).Output()
	if err != nil {
		return "", fmt.Errorf("building %s: %w", tool, err)
	}
	return strings.TrimSpace(string(path)), nil
}

// The range is outside of the kernel's ephemeral ports: a connection could take such a port before the server listens on it.
const firstPort, ports = 20000, 10000

// Several processes run at the same time, so each begins at a random offset.
var (
	firstOffset = rand.IntN(ports) //nolint:gosec // not a secret
	portsTried  atomic.Int64
)

// reserved keeps the reservations of this process until it ends.
var reserved struct {
	sync.Mutex
	ports []net.PacketConn
}

// FreePort returns a free TCP port, and never the same one twice. It reserves the port for as long as the process runs, as a server may
// leave it for a while: the process listens on the UDP port of that number, which every other call of FreePort asks for first.
func FreePort() (port int, err error) {
	for range ports {
		port = firstPort + (firstOffset+int(portsTried.Add(1)))%ports
		if err = reserve(port); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port from %d to %d is free: %w", firstPort, firstPort+ports-1, err)
}

func reserve(port int) error {
	address := ":" + strconv.Itoa(port)
	reservation, err := net.ListenPacket("udp", address) //nolint:noctx // open until the process ends
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address) //nolint:noctx // closed at once
	if err != nil {
		return errors.Join(err, reservation.Close())
	}
	reserved.Lock()
	defer reserved.Unlock()
	reserved.ports = append(reserved.ports, reservation)
	return listener.Close()
}

func (c *Cluster) createDir() error {
	if c.dir != "" {
		return os.MkdirAll(c.dir, 0o700)
	}
	dir, err := os.MkdirTemp("", "bellhop-local-")
	if err != nil {
		return err
	}
	c.dir = dir
	c.cleanups = append(c.cleanups, func() error { return os.RemoveAll(dir) })
	return nil
}

// findHostAddress returns the address at which the API server reaches this machine. It is wrong where the API server is in a container
// or behind address translation, and Options.Host has to be set.
func findHostAddress(ctx context.Context, apiServer string) (string, error) {
	parsed, err := url.Parse(apiServer)
	if err != nil {
		return "", err
	}
	host, port := parsed.Hostname(), parsed.Port()
	if parsed.Scheme == "" || host == "" {
		return "", fmt.Errorf("the API server's address %q is not a URL", apiServer)
	}
	if port == "" {
		port = "443"
	}
	// A UDP socket sends nothing when it is connected, and gets the local address of the route.
	conn, err := new(net.Dialer).DialContext(ctx, "udp", net.JoinHostPort(host, port))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	address := conn.LocalAddr().(*net.UDPAddr).IP
	if address.IsLoopback() {
		return "127.0.0.1", nil
	}
	return address.String(), nil
}
