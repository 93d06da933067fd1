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

package operator

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
)

// LeaseName is the name of the lease of the leader, in the operator's namespace.
const LeaseName = "bellhop.gophernetes.io"

// newLock returns the lease with the identity of the options. A container that is restarted in its Pod has the same identity, and goes on
// at once with a lease that its predecessor did not release. Without an identity it returns nil, and controller-runtime makes up one.
func newLock(cfg *rest.Config, o Options) (resourcelock.Interface, error) {
	if !o.LeaderElect || o.LeaderElectIdentity == "" {
		return nil, nil
	}
	clients, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("setting up events of the leader election: %w", err)
	}
	events := record.NewBroadcaster()
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: clients.CoreV1().Events(o.Namespace)})
	renew, _ := o.renewal()
	return resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, o.Namespace, LeaseName, resourcelock.ResourceLockConfig{
		Identity:      o.LeaderElectIdentity,
		EventRecorder: events.NewRecorder(newScheme(), corev1.EventSource{Component: o.LeaderElectIdentity}),
	}, cfg, renew)
}

// renewal returns how long a leader tries to renew its lease, and how often. A leader that cannot renew it tries to release it before it
// stops. client-go starts to count after a retry, and takes as long again for the release: both must be over when another replica may lead.
func (o Options) renewal() (deadline, retry time.Duration) {
	return o.LeaseDuration * 3 / 8, o.LeaseDuration / 8
}
