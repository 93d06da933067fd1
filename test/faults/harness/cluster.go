// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/output"
)

// Cluster is the control plane that all runs share, with an operator that serves webhooks and is never affected by faults.
type Cluster struct {
	ControlPlane *local.Cluster
	Client       client.WithWatch // of a user with all rights
	Binaries
	upstream  *url.URL
	transport http.RoundTripper // with the credentials of the operator
	Dir       string
	log       *output.Buffer // of the operator that serves webhooks
}

// Binaries are the operators of a run, which may be of several versions.
type Binaries struct {
	Operator  string // the operator under test; "": that of this repository
	Successor string // leads after Operator was killed or has lost its lease; "": Operator
	Webhooks  string // serves webhooks; "": that of this repository
	// Uncompared are members of objects that not all versions write, separated by commas, such as status.addresses.
	Uncompared string
}

// withDefaults returns the paths of all binaries. own is the operator of this repository.
func (b Binaries) withDefaults(own string) Binaries {
	b.Operator = cmp.Or(b.Operator, own)
	b.Successor = cmp.Or(b.Successor, b.Operator)
	b.Webhooks = cmp.Or(b.Webhooks, own)
	return b
}

// HaveFlag reports whether all operators under test have a flag: an earlier version may lack it.
func (b Binaries) HaveFlag(ctx context.Context, name string) (bool, error) {
	for _, binary := range []string{b.Operator, b.Successor} {
		help, err := exec.CommandContext(ctx, binary, "--help").CombinedOutput()
		if err != nil {
			return false, fmt.Errorf("%s --help: %w", binary, err)
		}
		if !bytes.Contains(help, []byte("--"+name+" ")) && !bytes.Contains(help, []byte("--"+name+"\n")) {
			return false, nil
		}
	}
	return true, nil
}

// HaveText reports whether all operators under test contain a text: an earlier version may lack what it belongs to.
func (b Binaries) HaveText(text string) (bool, error) {
	for _, binary := range []string{b.Operator, b.Successor} {
		content, err := os.ReadFile(binary)
		if err != nil || !bytes.Contains(content, []byte(text)) {
			return false, err
		}
	}
	return true, nil
}

// StartCluster starts a control plane.
func StartCluster(ctx context.Context, binaries Binaries) (_ *Cluster, err error) {
	c := &Cluster{log: &output.Buffer{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	repo, err := local.FindRepo()
	if err != nil {
		return nil, err
	}
	own, err := local.BuildOperator(ctx, repo)
	if err != nil {
		return nil, err
	}
	c.Binaries = binaries.withDefaults(own)
	if c.Dir, err = os.MkdirTemp("", "bellhop-faults-"); err != nil {
		return nil, err
	}
	if c.ControlPlane, err = local.Start(ctx, local.Options{Repo: repo, ControllerManager: true}); err != nil {
		return nil, err
	}
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	return c, c.serveWebhooks(ctx)
}

// WithOperator returns the same cluster with another operator under test.
func (c *Cluster) WithOperator(binary string) *Cluster {
	other := *c
	other.Operator, other.Successor = binary, binary
	return &other
}

// connect creates the clients.
func (c *Cluster) connect(ctx context.Context) error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, pagerv1beta1.AddToScheme, servicecatalogv1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	admin := rest.CopyConfig(c.ControlPlane.Config)
	admin.QPS = -1
	var err error
	if c.Client, err = client.NewWithWatch(admin, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	kubeconfig, err := c.ControlPlane.OperatorKubeconfig(ctx)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	if c.transport, err = rest.TransportFor(config); err != nil {
		return err
	}
	c.upstream, err = url.Parse(config.Host)
	return err
}

// serveWebhooks runs an operator that never leads. The operators of runs work in other namespaces than config/ permits, so that their
// account gets all rights.
func (c *Cluster) serveWebhooks(ctx context.Context) error {
	everything := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "faults"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: c.ControlPlane.Namespace, Name: c.ControlPlane.ServiceAccount}},
	}
	now := metav1.NewMicroTime(time.Now())
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.ControlPlane.Namespace, Name: "bellhop.gophernetes.io"},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: new("nobody"), LeaseDurationSeconds: new(int32(7 * 24 * 3600)),
			AcquireTime: &now, RenewTime: &now},
	}
	for _, o := range []client.Object{everything, lease} {
		if err := c.Client.Create(ctx, o); err != nil {
			return fmt.Errorf("creating %T: %w", o, err)
		}
	}
	_, err := c.ControlPlane.StartOperator(ctx, local.OperatorOptions{
		Binary: c.Webhooks, Args: []string{"--allow-outbound=127.0.0.1", "--leader-elect"}, Log: c.log,
	})
	return err
}

// newestVersion returns the newest resourceVersion.
func (c *Cluster) newestVersion(ctx context.Context) string {
	var list corev1.NamespaceList
	if err := c.Client.List(ctx, &list, client.Limit(1)); err != nil {
		return ""
	}
	return list.ResourceVersion
}

// Close stops the control plane and removes its files.
func (c *Cluster) Close() error {
	var errs []error
	if c.ControlPlane != nil {
		errs = append(errs, c.ControlPlane.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(c.Dir))...)
}
