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
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// deadline is how long anything may take, faults included.
const deadline = 60 * time.Second

// pause is long enough for an operator to do something about what is there.
const pause = 1500 * time.Millisecond

// A world is all that is outside the operator in one run: a namespace and its user, a
// broker, receivers.
type environment struct {
	ctx               context.Context //nolint:containedctx // lives as long as the run
	client            client.WithWatch
	injector          *injector
	kill              func()
	guardBroker       func(*http.Request) // sees each request to the broker before it is carried out
	namespace         string
	operatorNamespace string // the operator's namespace
	// clusterWide: brokers and receivers, and what these offer, belong to the cluster.
	clusterWide bool
	broker      *osbtest.Broker
	servers     []*httptest.Server

	// receivers are behind receivers of their names.
	receivers map[string]*fakeReceiver
	// timingDependent: how it ends has a past that depends on how fast the operator is. What it is
	// compared with is made in the same run.
	timingDependent bool
	// revertedContent is a content that an Alert had for a while, and of which nobody has to hear.
	revertedContent string
	fault           fault
	// maxRepeats is how often a message may come again.
	maxRepeats int

	// operationsFail: what the broker begins comes to nothing.
	operationsFail bool
	// retryRequests is how often the user has asked again for what a broker had refused.
	retryRequests int

	mu       sync.Mutex
	problems []string

	// foreign are ids at the broker that are not ours: they may not be removed, and stay.
	foreign idSet
	// retained are ids that stay at the broker on purpose.
	retained idSet
}

// idSet is a set that many may use at once.
type idSet struct{ members sync.Map }

func (s *idSet) add(id string) { s.members.Store(id, true) }

func (s *idSet) has(id string) bool {
	_, ok := s.members.Load(id)
	return ok
}

func (s *idSet) all(yield func(string) bool) {
	s.members.Range(func(id, _ any) bool { return yield(id.(string)) })
}

func newEnvironment(ctx context.Context, c client.WithWatch, d *injector, kill func(), sc Scenario) (*environment, error) {
	spaces := []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{GenerateName: "run-"}}}
	if sc.separateNamespace {
		spaces = append(spaces, spaces[0].DeepCopy())
	}
	for _, ns := range spaces {
		if err := c.Create(ctx, ns); err != nil {
			return nil, err
		}
	}
	return &environment{
		ctx: ctx, client: c, injector: d, kill: kill, namespace: spaces[0].Name, operatorNamespace: spaces[len(spaces)-1].Name, clusterWide: sc.clusterWide, timingDependent: sc.timingDependent,
		receivers: map[string]*fakeReceiver{},
	}, nil
}

func (w *environment) close() {
	for _, s := range w.servers {
		s.CloseClientConnections()
		s.Close()
	}
}

// reportf records that something is not as it has to be.
func (w *environment) reportf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	problem := fmt.Sprintf(format, args...)
	if !slices.Contains(w.problems, problem) {
		w.problems = append(w.problems, problem)
	}
}

// allProblems are all that were recorded.
func (w *environment) allProblems() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.problems)
}

// takeProblems are all that were recorded since the last call.
func (w *environment) takeProblems() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	problems := w.problems
	w.problems = nil
	return problems
}

// A stuck run is one in which the user did not get what was waited for.
type stepFailure struct{ error }

// must ends the run if the user could not do something.
func (w *environment) must(err error) {
	if err != nil {
		panic(stepFailure{err})
	}
}

// play has a user do something.
func (w *environment) play(part func(*environment)) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			s, ok := problem.(stepFailure)
			if !ok {
				panic(problem)
			}
			err = s.error
		}
	}()
	part(w)
	return nil
}

// await waits until a check passes.
func (w *environment) await(what string, check func() error) {
	ctx, cancel := context.WithTimeout(w.ctx, deadline)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return
		}
		sleep(ctx, 150*time.Millisecond)
		if ctx.Err() != nil {
			panic(stepFailure{fmt.Errorf("%s: not within %s: %w", what, deadline, err)})
		}
	}
}

// objectMeta is for an object of the run.
func (w *environment) objectMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name, Labels: map[string]string{runLabel: w.namespace}}
}

// sharedMeta is for an object that belongs to the cluster, if those that may do: it has a name that no
// other run has.
func (w *environment) sharedMeta(name string) metav1.ObjectMeta {
	meta := w.objectMeta(name)
	if w.clusterWide {
		meta.Namespace, meta.Name = "", w.sharedName(name)
	}
	return meta
}

// sharedName is the name of something that all namespaces see, if they do. The seams show it as it is
// in each run. No z: an object is not called by an id that has one.
func (w *environment) sharedName(name string) string {
	if !w.clusterWide {
		return name
	}
	return strings.ReplaceAll(w.namespace, "z", "y") + "-" + name
}

func (w *environment) create(o client.Object) { w.must(w.client.Create(w.ctx, o)) }

func (w *environment) get(o client.Object) error {
	return w.client.Get(w.ctx, client.ObjectKeyFromObject(o), o)
}

// edit changes an object as it is now.
func edit[T client.Object](w *environment, o T, change func(T)) {
	w.await("editing "+o.GetName(), func() error {
		if err := w.get(o); err != nil {
			return err
		}
		change(o)
		return w.client.Update(w.ctx, o)
	})
}

func (w *environment) remove(objects ...client.Object) {
	for _, o := range objects {
		w.must(client.IgnoreNotFound(w.client.Delete(w.ctx, o)))
	}
}

// waitGone waits until objects are.
func (w *environment) waitGone(objects ...client.Object) {
	for _, o := range objects {
		uid := o.GetUID() // empty: it is that of the first one that is seen
		w.await(fmt.Sprintf("%T %s is gone", o, o.GetName()), func() error {
			err := w.get(o)
			switch {
			case apierrors.IsNotFound(err), err == nil && uid != "" && o.GetUID() != uid:
				return nil
			case err != nil:
				return err
			}
			uid = o.GetUID()
			return fmt.Errorf("it is there: %s", describe(o))
		})
	}
}

// createSecret makes one.
func (w *environment) createSecret(name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: w.objectMeta(name), StringData: data}
	w.create(s)
	return s
}

// serve puts a model behind the seam.
func (w *environment) serve(model http.Handler, name func(*http.Request) string, observe func(*http.Request)) string {
	server := (&endpoint{injector: w.injector, kill: w.kill, name: name, observe: observe, obsoleteCheck: w.obsoleteCheck, onAccepted: w.withholdCredentials, operationsFail: func() bool { return w.operationsFail }, model: model}).start()
	w.servers = append(w.servers, server)
	return server.URL
}

// obsoleteCheck returns what says whether a request has lost its meaning while the network kept it: what
// it asks for has been removed since, or it would change what another one has changed. The
// operator cannot prevent what comes of that, so that it is not tried. A late DELETE is tried, since the operator uses no id again
// after a removal.
func (w *environment) obsoleteCheck(r *http.Request) func() bool {
	if w.broker == nil {
		return func() bool { return false }
	}
	before := w.broker.History(requestID(r))
	return func() bool {
		now := w.broker.History(requestID(r))
		return r.Method != http.MethodDelete && now.Deletes > before.Deletes || r.Method != http.MethodPut && now.Patches > before.Patches
	}
}

// withholdCredentials has the broker tell the credentials of a binding later, as if it had taken its time.
func (w *environment) withholdCredentials(r *http.Request) {
	if w.broker != nil {
		w.broker.Untell(requestID(r))
	}
}

// requestID is the id of what a request to a broker is about.
func requestID(r *http.Request) string { return path.Base(r.URL.Path) }

// requestName names a request to a broker without the ids.
func requestName(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var kept []string
	for i, part := range parts {
		if i != 2 && i != 4 {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept[1:], "/")
}
