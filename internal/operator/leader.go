// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"fmt"
	"os"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/gophernetes/bellhop/internal/kube/leadership"
)

// newLock returns the lease of the options, which is not acquired while another installation leads; nil: no leader is elected. A container that
// is restarted in its Pod has the same identity, and goes on at once with a lease that its predecessor did not release. stop is called if another
// installation leads as well. lasting follows the lease.
func newLock(cfg *rest.Config, o Options, lasting *leadership.Lease, stop context.CancelCauseFunc) (resourcelock.Interface, error) {
	if !o.LeaderElect {
		return nil, nil //nolint:nilnil // as documented
	}
	identity := o.LeaderElectIdentity
	if identity == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("finding the name of this machine: %w", err)
		}
		identity = host + "_" + string(uuid.NewUUID())
	}
	clients, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("setting up events of the leader election: %w", err)
	}
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: clients.CoreV1().Events(o.Namespace)})
	events := broadcaster.NewRecorder(newScheme(), corev1.EventSource{Component: identity})
	renew, _ := o.renewal()
	leaseOf := func(name string) (resourcelock.Interface, error) {
		return resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, o.Namespace, name,
			resourcelock.ResourceLockConfig{Identity: identity, EventRecorder: events}, cfg, renew)
	}
	own, err := leaseOf(o.APIs.LeaseName())
	if err != nil {
		return nil, err
	}
	l := &exclusiveLock{
		Interface: own, clock: lasting.Clock, lasting: lasting, stop: stop, blocked: newBlockedMetric(), logger: ctrl.Log.WithName("leaderelection"), events: events,
		lease: &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: o.APIs.LeaseName()}},
	}
	for _, name := range o.APIs.OtherLeases() {
		other, err := leaseOf(name)
		if err != nil {
			return nil, err
		}
		l.others = append(l.others, &watchedLease{Interface: other, name: name})
	}
	return l, metrics.Registry.Register(l.blocked)
}

// renewal returns how long a leader tries to renew its lease, and how often. A leader that cannot renew it tries to release it before it
// stops. client-go starts to count after a retry, and takes as long again for the release: both must be over when another replica may lead.
func (o Options) renewal() (deadline, retry time.Duration) {
	return o.LeaseDuration * 3 / 8, o.LeaseDuration / 8
}
