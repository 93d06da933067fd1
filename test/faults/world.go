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
type world struct {
	ctx       context.Context //nolint:containedctx // lives as long as the run
	client    client.WithWatch
	director  *director
	kill      func()
	guard     func(*http.Request) // sees each request to the broker before it is carried out
	namespace string
	home      string // the operator's namespace
	// clusterWide: brokers and receivers, and what these offer, belong to the cluster.
	clusterWide bool
	broker      *osbtest.Broker
	servers     []*httptest.Server

	// addressees are behind receivers of their names.
	addressees map[string]*addressee
	// hurried: how it ends has a past that depends on how fast the operator is. What it is
	// compared with is made in the same run.
	hurried bool
	// takenBack is a content that an Alert had for a while, and of which nobody has to hear.
	takenBack string
	fault     fault
	// repeats is how often a message may come again.
	repeats int

	// doomed: what the broker begins comes to nothing.
	doomed bool
	// asked is how often the user has asked again for what a broker had refused.
	asked int

	mu       sync.Mutex
	problems []string

	// strangers are ids at the broker that are not ours: they may not be removed, and stay.
	strangers ids
	// left are ids that stay at the broker on purpose.
	left ids
}

// ids is a set that many may use at once.
type ids struct{ members sync.Map }

func (s *ids) add(id string) { s.members.Store(id, true) }

func (s *ids) has(id string) bool {
	_, ok := s.members.Load(id)
	return ok
}

func (s *ids) all(yield func(string) bool) {
	s.members.Range(func(id, _ any) bool { return yield(id.(string)) })
}

func newWorld(ctx context.Context, c client.WithWatch, d *director, kill func(), sc scenario) (*world, error) {
	spaces := []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{GenerateName: "run-"}}}
	if sc.apart {
		spaces = append(spaces, spaces[0].DeepCopy())
	}
	for _, ns := range spaces {
		if err := c.Create(ctx, ns); err != nil {
			return nil, err
		}
	}
	return &world{
		ctx: ctx, client: c, director: d, kill: kill, namespace: spaces[0].Name, home: spaces[len(spaces)-1].Name, clusterWide: sc.clusterWide, hurried: sc.hurried,
		addressees: map[string]*addressee{},
	}, nil
}

func (w *world) close() {
	for _, s := range w.servers {
		s.CloseClientConnections()
		s.Close()
	}
}

// blame records that something is not as it has to be.
func (w *world) blame(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	problem := fmt.Sprintf(format, args...)
	if !slices.Contains(w.problems, problem) {
		w.problems = append(w.problems, problem)
	}
}

// allProblems are all that were recorded.
func (w *world) allProblems() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.problems)
}

// takeProblems are all that were recorded since the last call.
func (w *world) takeProblems() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	problems := w.problems
	w.problems = nil
	return problems
}

// A stuck run is one in which the user did not get what was waited for.
type stuck struct{ error }

// must ends the run if the user could not do something.
func (w *world) must(err error) {
	if err != nil {
		panic(stuck{err})
	}
}

// play has a user do something.
func (w *world) play(part func(*world)) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			s, ok := problem.(stuck)
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
func (w *world) await(what string, check func() error) {
	ctx, cancel := context.WithTimeout(w.ctx, deadline)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return
		}
		wait(ctx, 150*time.Millisecond)
		if ctx.Err() != nil {
			panic(stuck{fmt.Errorf("%s: not within %s: %w", what, deadline, err)})
		}
	}
}

// meta is for an object of the run.
func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name, Labels: map[string]string{runLabel: w.namespace}}
}

// shared is for an object that belongs to the cluster, if those that may do: it has a name that no
// other run has.
func (w *world) shared(name string) metav1.ObjectMeta {
	meta := w.meta(name)
	if w.clusterWide {
		meta.Namespace, meta.Name = "", w.own(name)
	}
	return meta
}

// own is the name of something that all namespaces see, if they do. The seams show it as it is
// in each run. No z: an object is not called by an id that has one.
func (w *world) own(name string) string {
	if !w.clusterWide {
		return name
	}
	return strings.ReplaceAll(w.namespace, "z", "y") + "-" + name
}

func (w *world) create(o client.Object) { w.must(w.client.Create(w.ctx, o)) }

func (w *world) get(o client.Object) error {
	return w.client.Get(w.ctx, client.ObjectKeyFromObject(o), o)
}

// edit changes an object as it is now.
func edit[T client.Object](w *world, o T, change func(T)) {
	w.await("editing "+o.GetName(), func() error {
		if err := w.get(o); err != nil {
			return err
		}
		change(o)
		return w.client.Update(w.ctx, o)
	})
}

func (w *world) remove(objects ...client.Object) {
	for _, o := range objects {
		w.must(client.IgnoreNotFound(w.client.Delete(w.ctx, o)))
	}
}

// gone waits until objects are.
func (w *world) gone(objects ...client.Object) {
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

// secret makes one.
func (w *world) secret(name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: w.meta(name), StringData: data}
	w.create(s)
	return s
}

// serve puts a model behind the seam.
func (w *world) serve(model http.Handler, name func(*http.Request) string, observe func(*http.Request)) string {
	server := (&outsideSeam{director: w.director, kill: w.kill, name: name, observe: observe, overtake: w.overtake, promised: w.promised, doomed: func() bool { return w.doomed }, model: model}).serve()
	w.servers = append(w.servers, server)
	return server.URL
}

// overtake returns what says whether a request has lost its meaning while the network kept it: what
// it asks for has been removed since, or it would change what another one has changed. The
// operator cannot prevent what comes of that, so that it is not tried. A late DELETE is tried, since the operator uses no id again
// after a removal.
func (w *world) overtake(r *http.Request) func() bool {
	if w.broker == nil {
		return func() bool { return false }
	}
	before := w.broker.History(idIn(r))
	return func() bool {
		now := w.broker.History(idIn(r))
		return r.Method != http.MethodDelete && now.Deletes > before.Deletes || r.Method != http.MethodPut && now.Patches > before.Patches
	}
}

// promised has the broker tell the credentials of a binding later, as if it had taken its time.
func (w *world) promised(r *http.Request) {
	if w.broker != nil {
		w.broker.Untell(idIn(r))
	}
}

// idIn is the id of what a request to a broker is about.
func idIn(r *http.Request) string { return path.Base(r.URL.Path) }

// operationOf names a request to a broker without the ids.
func operationOf(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var kept []string
	for i, part := range parts {
		if i != 2 && i != 4 {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept[1:], "/")
}
