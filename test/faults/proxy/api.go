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

package proxy

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/internal/catalog"
)

// APIServerOptions say which run a proxy is for.
type APIServerOptions struct {
	Injector  *Injector
	Namespace string
	Upstream  *url.URL
	Transport http.RoundTripper // with the operator's credentials
	Kill      func()            // the process
}

// An apiSeam is all that one process of the operator sees of the API server: a proxy that
// shows it no more than its run's namespace, and what of the cluster is its run's.
type APIServer struct {
	APIServerOptions

	// staleVersion is the resourceVersion that lists show until caughtUp opens; nil: the newest.
	staleVersion atomic.Pointer[string]
	caughtUp     *gate
	// follows the watches' faults: a standby's watches are frozen, a leader's are not.
	isStandby atomic.Bool
	dead      atomic.Bool
}

// NewAPIServer shows the newest state.
func NewAPIServer(o APIServerOptions) *APIServer {
	return &APIServer{APIServerOptions: o, caughtUp: newGate()}
}

// HoldAt has lists and watches show a resourceVersion until catchUp.
func (s *APIServer) HoldAt(version string) {
	s.staleVersion.Store(&version)
	s.caughtUp.close()
}

func (s *APIServer) CatchUp() {
	s.staleVersion.Store(nil)
	s.caughtUp.open()
}

func (s *APIServer) SetStandby() { s.isStandby.Store(true) }

// Disconnect has nothing more be carried out.
func (s *APIServer) Disconnect() { s.dead.Store(true) }

// ServeHTTP is a request of the process.
func (s *APIServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, ok := parsePath(r.URL.Path)
	query := r.URL.Query()
	switch {
	case s.dead.Load():
		panic(http.ErrAbortHandler)
	case !ok || t.resource == "events" || strings.HasSuffix(t.resource, "reviews"):
		s.forwardUncounted(w, r, r.URL.Path, query)
	case t.resource == "leases":
		s.serveLease(w, r)
	case t.name == "" && r.Method == http.MethodGet:
		s.restrictToRun(&t, query)
		s.Injector.ExpectWork(time.Now().Add(time.Second / 2)) // what it learns
		switch asOf := s.staleVersion.Load(); {
		case query.Get("watch") != "":
			s.serveWatch(w, r, t, query)
		case query.Get("resourceVersion") == "": // it wants to know how it is now
			r.URL.Path, r.URL.RawQuery = t.path(), query.Encode()
			s.serveCall(w, r, t)
		case asOf != nil && query.Get("resourceVersion") == "0" && query.Get("continue") == "":
			query.Set("resourceVersion", *asOf)
			query.Set("resourceVersionMatch", "Exact")
			fallthrough
		default:
			s.forwardUncounted(w, r, t.path(), query)
		}
	default:
		s.serveCall(w, r, t)
	}
}

// restrictToRun has a list or watch show no other runs.
func (s *APIServer) restrictToRun(t *resourcePath, query url.Values) {
	switch {
	case t.namespace != "":
	case slices.Contains(namespacedResources, t.resource):
		t.namespace = s.Namespace
	case t.resource == "namespaces":
		query.Set("fieldSelector", "metadata.name="+s.Namespace)
	case isClusterScoped(*t):
		query.Set("labelSelector", RunLabel+"="+s.Namespace)
	}
}

// withRunLabel is an object that is to be created, as one of a run.
func withRunLabel(object []byte, run string) []byte {
	var o unstructured.Unstructured
	if o.UnmarshalJSON(object) != nil {
		return object // the API server says what is wrong with it
	}
	catalog.SetLabels(&o, map[string]string{RunLabel: run})
	text, err := o.MarshalJSON()
	if err != nil {
		return object
	}
	return text
}

// serveCall is a request about one object, or a list that is not the cache's.
func (s *APIServer) serveCall(w http.ResponseWriter, r *http.Request, t resourcePath) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	name := t.name
	if r.Method == http.MethodPost {
		name = objectName(body)
	}
	if r.Method == http.MethodPost && isClusterScoped(t) {
		body = withRunLabel(body, s.Namespace)
	}
	what := strings.TrimRight(r.Method+" "+t.resource+"/"+StripRunName(name)+"/"+t.subresource, "/")
	act := s.Injector.intercept(r.Context(), Call{Seam: SeamAPI, Name: what, Mutates: r.Method != http.MethodGet})
	switch {
	case act.killBefore:
		s.Kill()
		panic(http.ErrAbortHandler)
	case act.delayed:
		s.Injector.delayGate.wait(context.WithoutCancel(r.Context()))
	case act.answer != "":
		a, ok := apiAnswers[act.answer]
		if !ok {
			break // one for the other seam
		}
		if a.acts {
			s.forward(discardWriter{http.Header{}}, r, r.URL.Path, r.URL.Query(), body)
		}
		if a.write == nil {
			panic(http.ErrAbortHandler)
		}
		a.write(w, r)
		return
	}
	if act.killAfter {
		s.forward(discardWriter{http.Header{}}, r, r.URL.Path, r.URL.Query(), body)
		s.Kill()
		panic(http.ErrAbortHandler)
	}
	s.forward(w, r, r.URL.Path, r.URL.Query(), body)
}

// serveLease is how leaders are elected: who is deposed hears nothing more of it.
func (s *APIServer) serveLease(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.Injector.deposed.Done:
		if !s.isStandby.Load() {
			<-r.Context().Done()
			return
		}
	default:
	}
	s.forwardUncounted(w, r, r.URL.Path, r.URL.Query())
}

// forwardUncounted forwards a request that is no call.
func (s *APIServer) forwardUncounted(w http.ResponseWriter, r *http.Request, path string, query url.Values) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.forward(w, r, path, query, body)
}

// forward has a request carried out, also if the process that made it is gone by then.
func (s *APIServer) forward(w http.ResponseWriter, r *http.Request, path string, query url.Values, body []byte) {
	response, err := s.send(context.WithoutCancel(r.Context()), r, path, query, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer response.Body.Close()
	header := w.Header()
	for _, name := range []string{"Content-Type", "Retry-After", "Warning", "Audit-Id"} {
		if values := response.Header.Values(name); len(values) > 0 {
			header[name] = values
		}
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}

func (s *APIServer) send(ctx context.Context, r *http.Request, path string, query url.Values, body []byte) (*http.Response, error) {
	to := *s.Upstream
	to.Path, to.RawQuery = path, query.Encode()
	request, err := http.NewRequestWithContext(ctx, r.Method, to.String(), strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Content-Type", "User-Agent"} {
		if value := r.Header.Get(name); value != "" {
			request.Header.Set(name, value)
		}
	}
	request.Header.Set("Accept", acceptJSON(r.Header.Get("Accept")))
	return s.Transport.RoundTrip(request)
}

// acceptJSON leaves out of what a client accepts all that a proxy cannot read.
func acceptJSON(accept string) string {
	var kept []string
	for one := range strings.SplitSeq(accept, ",") {
		if strings.Contains(one, "application/json") {
			kept = append(kept, one)
		}
	}
	if len(kept) == 0 {
		return "application/json"
	}
	return strings.Join(kept, ",")
}
