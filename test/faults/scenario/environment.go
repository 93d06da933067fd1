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

package scenario

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
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/snapshot"
)

// Deadline is how long anything may take, faults included.
const Deadline = 60 * time.Second

// pause is long enough for an operator to do something about what is there.
const pause = 1500 * time.Millisecond

// A world is all that is outside the operator in one run: a namespace and its user, a
// broker, receivers.
type Environment struct {
	Ctx               context.Context //nolint:containedctx // lives as long as the run
	Client            client.WithWatch
	injector          *proxy.Injector
	kill              func()
	GuardBroker       func(*http.Request) // sees each request to the broker before it is carried out
	Namespace         string
	OperatorNamespace string // the operator's namespace
	// ClusterWide: brokers and receivers, and what these offer, belong to the cluster.
	ClusterWide bool
	Broker      *osbtest.Broker
	servers     []*httptest.Server

	// Receivers are behind receivers of their names.
	Receivers map[string]*FakeReceiver
	// TimingDependent: how it ends has a past that depends on how fast the operator is. What it is
	// compared with is made in the same run.
	TimingDependent bool
	// RevertedContent is a content that an Alert had for a while, and of which nobody has to hear.
	RevertedContent string
	Fault           proxy.Fault
	// MaxRepeats is how often a message may come again.
	MaxRepeats int

	// operationsFail: what the broker begins comes to nothing.
	operationsFail bool
	// RetryRequests is how often the user has asked again for what a broker had refused.
	RetryRequests int

	mu       sync.Mutex
	problems []string

	// Foreign are ids at the broker that are not ours: they may not be removed, and stay.
	Foreign idSet
	// Retained are ids that stay at the broker on purpose.
	Retained idSet
}

// idSet is a set that many may use at once.
type idSet struct{ members sync.Map }

func (s *idSet) add(id string) { s.members.Store(id, true) }

func (s *idSet) Has(id string) bool {
	_, ok := s.members.Load(id)
	return ok
}

func (s *idSet) All(yield func(string) bool) {
	s.members.Range(func(id, _ any) bool { return yield(id.(string)) })
}

func NewEnvironment(ctx context.Context, c client.WithWatch, d *proxy.Injector, kill func(), sc Scenario) (*Environment, error) {
	spaces := []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{GenerateName: "run-"}}}
	if sc.separateNamespace {
		spaces = append(spaces, spaces[0].DeepCopy())
	}
	for _, ns := range spaces {
		if err := c.Create(ctx, ns); err != nil {
			return nil, err
		}
	}
	return &Environment{
		Ctx: ctx, Client: c, injector: d, kill: kill, Namespace: spaces[0].Name, OperatorNamespace: spaces[len(spaces)-1].Name, ClusterWide: sc.clusterWide, TimingDependent: sc.timingDependent,
		Receivers: map[string]*FakeReceiver{},
	}, nil
}

func (e *Environment) Close() {
	for _, s := range e.servers {
		s.CloseClientConnections()
		s.Close()
	}
}

// Reportf records that something is not as it has to be.
func (e *Environment) Reportf(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	problem := fmt.Sprintf(format, args...)
	if !slices.Contains(e.problems, problem) {
		e.problems = append(e.problems, problem)
	}
}

// AllProblems are all that were recorded.
func (e *Environment) AllProblems() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.problems)
}

// TakeProblems are all that were recorded since the last call.
func (e *Environment) TakeProblems() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	problems := e.problems
	e.problems = nil
	return problems
}

// A stuck run is one in which the user did not get what was waited for.
type stepFailure struct{ error }

// must ends the run if the user could not do something.
func (e *Environment) must(err error) {
	if err != nil {
		panic(stepFailure{err})
	}
}

// Play has a user do something.
func (e *Environment) Play(part func(*Environment)) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			s, ok := problem.(stepFailure)
			if !ok {
				panic(problem)
			}
			err = s.error
		}
	}()
	part(e)
	return nil
}

// await waits until a check passes.
func (e *Environment) await(what string, check func() error) {
	ctx, cancel := context.WithTimeout(e.Ctx, Deadline)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return
		}
		proxy.Sleep(ctx, 150*time.Millisecond)
		if ctx.Err() != nil {
			panic(stepFailure{fmt.Errorf("%s: not within %s: %w", what, Deadline, err)})
		}
	}
}

// objectMeta is for an object of the run.
func (e *Environment) objectMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: e.Namespace, Name: name, Labels: map[string]string{proxy.RunLabel: e.Namespace}}
}

// sharedMeta is for an object that belongs to the cluster, if those that may do: it has a name that no
// other run has.
func (e *Environment) sharedMeta(name string) metav1.ObjectMeta {
	meta := e.objectMeta(name)
	if e.ClusterWide {
		meta.Namespace, meta.Name = "", e.SharedName(name)
	}
	return meta
}

// SharedName is the name of something that all namespaces see, if they do. The seams show it as it is
// in each run. No z: an object is not called by an id that has one.
func (e *Environment) SharedName(name string) string {
	if !e.ClusterWide {
		return name
	}
	return strings.ReplaceAll(e.Namespace, "z", "y") + "-" + name
}

func (e *Environment) create(o client.Object) { e.must(e.Client.Create(e.Ctx, o)) }

func (e *Environment) get(o client.Object) error {
	return e.Client.Get(e.Ctx, client.ObjectKeyFromObject(o), o)
}

// edit changes an object as it is now.
func edit[T client.Object](e *Environment, o T, change func(T)) {
	e.await("editing "+o.GetName(), func() error {
		if err := e.get(o); err != nil {
			return err
		}
		change(o)
		return e.Client.Update(e.Ctx, o)
	})
}

func (e *Environment) remove(objects ...client.Object) {
	for _, o := range objects {
		e.must(client.IgnoreNotFound(e.Client.Delete(e.Ctx, o)))
	}
}

// waitGone waits until objects are.
func (e *Environment) waitGone(objects ...client.Object) {
	for _, o := range objects {
		uid := o.GetUID() // empty: it is that of the first one that is seen
		e.await(fmt.Sprintf("%T %s is gone", o, o.GetName()), func() error {
			err := e.get(o)
			switch {
			case apierrors.IsNotFound(err), err == nil && uid != "" && o.GetUID() != uid:
				return nil
			case err != nil:
				return err
			}
			uid = o.GetUID()
			return fmt.Errorf("it is there: %s", snapshot.Describe(o))
		})
	}
}

// createSecret makes one.
func (e *Environment) createSecret(name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: e.objectMeta(name), StringData: data}
	e.create(s)
	return s
}

// serve puts a model behind the seam.
func (e *Environment) serve(model http.Handler, name func(*http.Request) string, observe func(*http.Request)) string {
	server := (&proxy.Endpoint{Injector: e.injector, Kill: e.kill, Name: name, Observe: observe, ObsoleteCheck: e.obsoleteCheck, OnAccepted: e.withholdCredentials, OperationsFail: func() bool { return e.operationsFail }, Model: model}).Start()
	e.servers = append(e.servers, server)
	return server.URL
}

// obsoleteCheck returns what says whether a request has lost its meaning while the network kept it: what
// it asks for has been removed since, or it would change what another one has changed. The
// operator cannot prevent what comes of that, so that it is not tried. A late DELETE is tried, since the operator uses no id again
// after a removal.
func (e *Environment) obsoleteCheck(r *http.Request) func() bool {
	if e.Broker == nil {
		return func() bool { return false }
	}
	before := e.Broker.History(RequestID(r))
	return func() bool {
		now := e.Broker.History(RequestID(r))
		return r.Method != http.MethodDelete && now.Deletes > before.Deletes || r.Method != http.MethodPut && now.Patches > before.Patches
	}
}

// withholdCredentials has the broker tell the credentials of a binding later, as if it had taken its time.
func (e *Environment) withholdCredentials(r *http.Request) {
	if e.Broker != nil {
		e.Broker.Untell(RequestID(r))
	}
}

// RequestID is the id of what a request to a broker is about.
func RequestID(r *http.Request) string { return path.Base(r.URL.Path) }

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
