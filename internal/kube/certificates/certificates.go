// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package certificates keeps the certificate that the webhooks, and the listener of AlertSources, are served with. It is in a
// Secret, together with the authority that signed it: made where it is missing or cannot be used, renewed in time, served by every
// replica without a restart. The webhook configurations and CRDs by which the API server calls the webhooks trust the authority.
//
// Every replica does all of it: writes carry a resourceVersion, so that of two replicas one wins and the other takes over its content. The API server
// trusts an authority before a certificate of it is served, and the authority before it for a day longer, so that a call succeeds at any replica.
package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

const (
	// settle is how long an API server may take to load the trusted authorities.
	settle = 10 * time.Second
	// afterConflict is how soon a write of another replica is read, if its event does not come before.
	afterConflict = 500 * time.Millisecond
	// minRetry and maxRetry are how soon a failed request to the API server is repeated.
	minRetry, maxRetry = 200 * time.Millisecond, 10 * time.Second
	// maxWait is how long nothing is looked at, at most: clocks are set right, and machines sleep.
	maxWait = 12 * time.Hour
)

// Options say which certificate is kept, and which objects get its authority.
type Options struct {
	// Secret holds the certificate. It is made if it is not there.
	Secret types.NamespacedName
	// DNSNames are the names that the API server and senders of alerts call. There is at least one.
	DNSNames []string
	// Service is the one that the API server calls.
	Service types.NamespacedName
	// Trust are the objects by which the API server calls it.
	Trust []Target
}

// Keeper keeps a certificate.
type Keeper struct {
	options Options
	client  client.Client
	now     func() time.Time

	serving atomic.Pointer[tls.Certificate]
	ready   chan struct{}
	once    sync.Once

	// Of Reconcile, of which one runs at a time.
	labels, annotations map[string]string   // of the Secret as it was seen last: by them Helm knows its own
	inUse               []*x509.Certificate // authorities of the certificate that this replica serves, and of one that another may serve already
	coming              *x509.Certificate   // is served next
	switchAt            time.Time           // when
}

// New returns a Keeper. It does nothing before Run.
func New(options Options) *Keeper {
	return &Keeper{options: options, now: time.Now, ready: make(chan struct{})}
}

// Ready is closed once there is a certificate that the API server trusts.
func (k *Keeper) Ready() <-chan struct{} { return k.ready }

// GetCertificate is for a tls.Config.
func (k *Keeper) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if certificate := k.serving.Load(); certificate != nil {
		return certificate, nil
	}
	return nil, errors.New("there is no certificate yet")
}

// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations,resourceNames=bellhop-mutating-webhook-configuration,verbs=list;watch;update
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,resourceNames=bellhop-validating-webhook-configuration,verbs=list;watch;update
// +kubebuilder:rbac:groups="",namespace=system,resources=secrets,verbs=create
// +kubebuilder:rbac:groups="",namespace=system,resources=secrets,resourceNames=bellhop-webhook-server-cert,verbs=list;watch;update

// Run keeps the certificate until ctx ends. It has a manager of its own: webhooks have to be served before the operator's caches
// can fill, which may need a conversion. Of each kind it watches the one object by name.
func (k *Keeper) Run(ctx context.Context, cfg *rest.Config) error {
	watched := map[client.Object]cache.ByObject{&corev1.Secret{}: {
		Namespaces: map[string]cache.Config{k.options.Secret.Namespace: {}},
		Field:      fields.OneTermEqualSelector(metav1.ObjectNameField, k.options.Secret.Name),
	}}
	for _, target := range k.options.Trust {
		watched[target.object()] = cache.ByObject{Field: fields.OneTermEqualSelector(metav1.ObjectNameField, target.name)}
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                 scheme.Scheme,
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
		Cache:                  cache.Options{ByObject: watched, DefaultTransform: cache.TransformStripManagedFields()},
		Client:                 client.Options{Cache: &client.CacheOptions{Unstructured: true}},
	})
	if err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	k.client = mgr.GetClient()

	request := ctrl.Request{NamespacedName: k.options.Secret}
	enqueue := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request { return []ctrl.Request{request} })
	builder := ctrl.NewControllerManagedBy(mgr).Named("certificates").
		WithOptions(controller.Options{RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](minRetry, maxRetry)}).
		WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
			queue.Add(request) // there may be no object at all
			return nil
		}))
	for object := range watched {
		builder = builder.Watches(object, enqueue)
	}
	if err := builder.Complete(k); err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	return mgr.Start(ctx)
}

// Reconcile makes the missing parts of the Secret, and serves its certificate.
func (k *Keeper) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	c, err := k.keepSecret(ctx)
	if err == nil {
		err = k.keepTrust(ctx, c.bundle())
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return ctrl.Result{RequeueAfter: afterConflict}, nil // another replica was first
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: k.serve(c)}, nil
}

// keepSecret returns the content of the Secret, after it has added the missing parts.
func (k *Keeper) keepSecret(ctx context.Context) (content, error) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: k.options.Secret.Namespace, Name: k.options.Secret.Name}}
	err := k.client.Get(ctx, k.options.Secret, secret)
	if client.IgnoreNotFound(err) != nil {
		return content{}, err
	}
	write := k.update
	if err != nil {
		write = k.create
		secret.Labels, secret.Annotations = k.labels, k.annotations
	} else {
		k.labels, k.annotations = secret.Labels, secret.Annotations
	}
	c, reason, err := parse(secret.Data, k.options.DNSNames, k.now()).renew(k.inUse, k.options.DNSNames, k.now())
	if err != nil || reason == "" {
		return c, err
	}
	data, err := c.data()
	if err != nil {
		return content{}, err
	}
	secret = secret.DeepCopy()
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	maps.Copy(secret.Data, data)
	if err := write(ctx, secret); err != nil {
		return content{}, err
	}
	log.FromContext(ctx).Info("Renewed the webhooks' certificate", "reason", reason, "notAfter", c.serving.Leaf.NotAfter)
	return c, nil
}

func (k *Keeper) create(ctx context.Context, secret *corev1.Secret) error {
	return k.client.Create(ctx, secret, fieldOwner)
}

func (k *Keeper) update(ctx context.Context, secret *corev1.Secret) error {
	return k.client.Update(ctx, secret, fieldOwner)
}

// serve serves the certificate in the Secret, and returns after which time to reconcile again. The present certificate is served until API servers
// have loaded the next authority, if they trust it until then.
func (k *Keeper) serve(c content) time.Duration {
	now, served := k.now(), k.serving.Load()
	k.inUse = c.authorities
	switch {
	case served != nil && served.Leaf.Equal(c.serving.Leaf):
		k.coming = nil
	case served != nil && c.accepts(served.Leaf, k.options.DNSNames, now):
		if k.coming == nil || !k.coming.Equal(c.serving.Leaf) {
			k.coming, k.switchAt = c.serving.Leaf, now.Add(settle)
		}
		if wait := k.switchAt.Sub(now); wait > 0 {
			return wait
		}
	}
	k.serving.Store(c.serving)
	k.coming = nil
	k.once.Do(func() { close(k.ready) })
	return min(max(c.nextCheck().Sub(now), time.Second), maxWait)
}

func equal(a, b *unstructured.Unstructured) bool {
	return equality.Semantic.DeepEqual(a.Object, b.Object)
}
