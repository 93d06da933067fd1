// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/snapshot"
)

// Deadline limits each wait, faults included. A deletion that the broker answers with 410 may wait a minute for the broker's catalog.
const Deadline = 2 * time.Minute

// pause is long enough for an operator to act on what it sees.
const pause = 1500 * time.Millisecond

// errStepsEnded ends steps that go no further because the namespace is deleted.
var errStepsEnded = errors.New("the namespace is deleted")

// Environment is all that is outside the operator in one run: a namespace with its user, a broker, receivers.
type Environment struct {
	Ctx      context.Context //nolint:containedctx // lives as long as the run
	Client   client.WithWatch
	injector *proxy.Injector
	// endSteps ends stepsCtx, and the steps, because the namespace is deleted.
	stepsCtx      context.Context //nolint:containedctx // as Ctx
	endSteps      context.CancelFunc
	hasEndedEarly atomic.Bool
	// kill kills the process that leads, and stop stops it for a while.
	kill, stop        func()
	GuardBroker       func(*http.Request) // sees each request to the broker before it is carried out
	Namespace         string
	OperatorNamespace string // the namespace of the operator
	// ClusterWide: brokers, their offerings and receivers belong to the cluster.
	ClusterWide bool
	// notifiers: receivers that recognize repeats are notifiers instead of webhooks.
	notifiers bool
	Broker    *osbtest.Broker
	servers   []*httptest.Server

	// Receivers are the services behind the receivers, by name.
	Receivers map[string]*FakeReceiver
	// TimingDependent: the end state depends on how fast the operator is, and is not compared with that of another run.
	TimingDependent bool
	// Troubled: there are Warning events without a fault as well.
	Troubled bool
	// Uncompared are members of objects that are no part of the end state, such as status.addresses.
	Uncompared []string
	// RevertedContent is what an Alert said for a while; no receiver needs to get it.
	RevertedContent string
	Fault           proxy.Fault
	// MaxRepeats is how many times a message may be repeated.
	MaxRepeats int

	// operationsFail: asynchronous operations of the broker fail.
	operationsFail bool
	// RetryRequests counts how many times the user requested a retry after a broker had refused something.
	RetryRequests int

	mu       sync.Mutex
	problems []string

	// Foreign are ids at the broker that the operator did not create and must not remove.
	Foreign IDSet
	// Sender posts to the AlertSource of the run.
	Sender *Sender
	// MayPage are the UIDs of objects that have failed while their labels let them page.
	MayPage IDSet
	// Retained are ids that the user wants to stay at the broker.
	Retained IDSet
}

// IDSet is a set of ids for concurrent use.
type IDSet struct{ members sync.Map }

func (s *IDSet) add(id string) { s.members.Store(id, true) }

// Has reports whether an id is in the set.
func (s *IDSet) Has(id string) bool {
	_, ok := s.members.Load(id)
	return ok
}

// All yields all ids.
func (s *IDSet) All(yield func(string) bool) {
	s.members.Range(func(id, _ any) bool { return yield(id.(string)) })
}

// NewEnvironment creates the namespaces of a run. kill kills the process that leads, and stop stops it for a while.
func NewEnvironment(ctx context.Context, c client.WithWatch, i *proxy.Injector, kill, stop func(), sc Scenario) (*Environment, error) {
	namespaces := []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{GenerateName: "run-"}}}
	if sc.separateNamespace {
		namespaces = append(namespaces, namespaces[0].DeepCopy())
	}
	for _, ns := range namespaces {
		if err := c.Create(ctx, ns); err != nil {
			return nil, err
		}
	}
	stepsCtx, endSteps := context.WithCancel(ctx)
	return &Environment{
		Ctx: ctx, stepsCtx: stepsCtx, endSteps: endSteps, Client: c, injector: i, kill: kill, stop: stop, Namespace: namespaces[0].Name, OperatorNamespace: namespaces[len(namespaces)-1].Name, ClusterWide: sc.clusterWide, notifiers: sc.Notifiers, TimingDependent: sc.timingDependent, Troubled: sc.Troubled,
		Receivers: map[string]*FakeReceiver{}, Sender: newSender(sc.Replicas),
	}, nil
}

// Refusals returns how many writes of the operator a neighbour has the API server refuse.
func (e *Environment) Refusals() int { return e.injector.Refusals() }

// Close stops the servers.
func (e *Environment) Close() {
	for _, s := range e.servers {
		s.CloseClientConnections()
		s.Close()
	}
}

// Reportf records a violation, once.
func (e *Environment) Reportf(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	problem := fmt.Sprintf(format, args...)
	if !slices.Contains(e.problems, problem) {
		e.problems = append(e.problems, problem)
	}
}

// AllProblems returns the violations so far.
func (e *Environment) AllProblems() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.problems)
}

// TakeProblems returns the violations since the last call.
func (e *Environment) TakeProblems() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	problems := e.problems
	e.problems = nil
	return problems
}

// stepFailure ends the steps of a scenario.
type stepFailure struct{ error }

// must ends the steps if the user could not do something.
func (e *Environment) must(err error) {
	if err != nil {
		panic(stepFailure{err})
	}
}

// Play runs a part of a scenario; the error says what the user could not do or did not get.
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

// await waits until a check passes, and ends the steps after the deadline.
func (e *Environment) await(what string, check func() error) {
	ctx, cancel := context.WithTimeout(e.stepsCtx, Deadline)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return
		}
		proxy.Sleep(ctx, 150*time.Millisecond)
		if e.HasEndedEarly() {
			panic(stepFailure{errStepsEnded})
		}
		if ctx.Err() != nil {
			panic(stepFailure{fmt.Errorf("%s: not within %s: %w", what, Deadline, err)})
		}
	}
}

// objectMeta returns the metadata of an object of the run.
func (e *Environment) objectMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: e.Namespace, Name: name, Labels: map[string]string{proxy.RunLabel: e.Namespace}}
}

// sharedMeta returns the metadata of a broker or a receiver, which may belong to the cluster: its name is unique there.
func (e *Environment) sharedMeta(name string) metav1.ObjectMeta {
	meta := e.objectMeta(name)
	if e.ClusterWide {
		meta.Namespace, meta.Name = "", e.SharedName(name)
	}
	return meta
}

// SharedName returns the name of an object of the cluster, if brokers and receivers belong to it. Proxies show it without the prefix, as
// it is in each run. It has no z, the escape character of object names that are derived from ids.
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

// edit changes the latest version of an object.
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

// waitGone waits until objects are deleted.
func (e *Environment) waitGone(objects ...client.Object) {
	for _, o := range objects {
		uid := o.GetUID() // empty: that of the first version that is read
		e.await(fmt.Sprintf("%T %s is gone", o, o.GetName()), func() error {
			err := e.get(o)
			switch {
			case apierrors.IsNotFound(err), err == nil && uid != "" && o.GetUID() != uid:
				return nil
			case err != nil:
				return err
			}
			uid = o.GetUID()
			return fmt.Errorf("it still exists: %s", snapshot.Describe(o))
		})
	}
}

// createSecret creates a Secret.
func (e *Environment) createSecret(name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: e.objectMeta(name), StringData: data}
	e.create(s)
	return s
}

// serve starts a model behind a proxy and returns its URL.
func (e *Environment) serve(model http.Handler, name func(*http.Request) string, observe func(*http.Request)) string {
	return e.start(&proxy.Endpoint{Name: name, Observe: observe, Model: model}).URL
}

// start starts a proxy.
func (e *Environment) start(p *proxy.Endpoint) *httptest.Server {
	p.Injector, p.Kill, p.Stop, p.ObsoleteCheck, p.OnAccepted = e.injector, e.kill, e.stop, e.obsoleteCheck, e.withholdCredentials
	p.OperationsFail = func() bool { return e.operationsFail }
	server := p.Start()
	e.servers = append(e.servers, server)
	return server
}

// obsoleteCheck returns a function that reports whether a delayed request to the broker became obsolete: its resource was removed since, or
// another request changed it. The operator cannot prevent the outcome of such a request, so that it is dropped. A DELETE is not: the
// operator does not reuse an id after a removal.
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

// withholdCredentials makes the broker reveal the credentials of a binding later, as an asynchronous operation does.
func (e *Environment) withholdCredentials(r *http.Request) {
	if e.Broker != nil {
		e.Broker.MarkUnrevealed(RequestID(r))
	}
}

// RequestID returns the id of the resource that a request to a broker is about.
func RequestID(r *http.Request) string { return path.Base(r.URL.Path) }

// requestName names a request to a broker without ids.
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
