// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package proxy stands between the operator and all that it talks to: the API server, brokers and receivers. It counts the calls of a run and
// injects the fault of the run at one of them.
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

	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// APIServerOptions say which run a proxy belongs to.
type APIServerOptions struct {
	Injector  *Injector
	Namespace string
	Upstream  *url.URL
	Transport http.RoundTripper // with the operator's credentials
	Kill      func()            // kills the process
	Stop      func()            // stops the process for a while
}

// APIServer is the API server as one process of the operator sees it: a proxy that shows the namespace of the run, and those objects
// of the cluster that have the label of the run.
type APIServer struct {
	APIServerOptions

	// staleVersion is the resourceVersion that lists show until caughtUp opens; nil: the newest.
	staleVersion atomic.Pointer[string]
	caughtUp     *gate
	// isStandby: the watches of this process are frozen by the fault of that kind; those of a leader are not.
	isStandby atomic.Bool
	dead      atomic.Bool
}

// NewAPIServer returns a proxy that shows the newest state.
func NewAPIServer(o APIServerOptions) *APIServer {
	return &APIServer{APIServerOptions: o, caughtUp: newGate()}
}

// HoldAt makes lists and watches show a resourceVersion until CatchUp.
func (s *APIServer) HoldAt(version string) {
	s.staleVersion.Store(&version)
	s.caughtUp.close()
}

// CatchUp makes lists and watches show the newest state.
func (s *APIServer) CatchUp() {
	s.staleVersion.Store(nil)
	s.caughtUp.open()
}

// SetStandby marks the process as the one that does not lead at first.
func (s *APIServer) SetStandby() { s.isStandby.Store(true) }

// Disconnect aborts every further request.
func (s *APIServer) Disconnect() { s.dead.Store(true) }

// ServeHTTP handles a request of the process.
func (s *APIServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target, ok := parsePath(r.URL.Path)
	query := r.URL.Query()
	w = &datedWriter{ResponseWriter: w, injector: s.Injector}
	switch {
	case s.dead.Load():
		panic(http.ErrAbortHandler)
	case !ok || target.resource == "events" || strings.HasSuffix(target.resource, "reviews"):
		s.forwardUncounted(w, r, r.URL.Path, query)
	case target.resource == "leases":
		s.serveLease(w, r)
	case target.name == "" && r.Method == http.MethodGet:
		s.restrictToRun(&target, query)
		s.Injector.ExpectWork(time.Now().Add(time.Second / 2)) // an event may follow
		switch asOf := s.staleVersion.Load(); {
		case query.Get("watch") != "":
			s.serveWatch(w, r, target, query)
		case query.Get("resourceVersion") == "": // a consistent read, which bypasses the cache
			r.URL.Path, r.URL.RawQuery = target.path(), query.Encode()
			s.serveCall(w, r, target)
		case asOf != nil && query.Get("resourceVersion") == "0" && query.Get("continue") == "":
			query.Set("resourceVersion", *asOf)
			query.Set("resourceVersionMatch", "Exact")
			fallthrough
		default:
			s.forwardUncounted(w, r, target.path(), query)
		}
	default:
		s.serveCall(w, r, target)
	}
}

// restrictToRun makes a list or a watch omit other runs.
func (s *APIServer) restrictToRun(target *resourcePath, query url.Values) {
	switch {
	case target.namespace != "":
	case slices.Contains(namespacedResources, target.resource):
		target.namespace = s.Namespace
	case target.resource == "namespaces":
		query.Set("fieldSelector", "metadata.name="+s.Namespace)
	case isClusterScoped(*target):
		query.Set("labelSelector", RunLabel+"="+s.Namespace)
	}
}

// withRunLabel adds the label of a run to an object that is to be created.
func withRunLabel(object []byte, run string) []byte {
	var o unstructured.Unstructured
	if o.UnmarshalJSON(object) != nil {
		return object // the API server reports the error
	}
	catalog.SetLabels(&o, map[string]string{RunLabel: run})
	text, err := o.MarshalJSON()
	if err != nil {
		return object
	}
	return text
}

// serveCall handles a request about one object, or a list that does not come from the cache.
func (s *APIServer) serveCall(w http.ResponseWriter, r *http.Request, target resourcePath) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	name := target.name
	if r.Method == http.MethodPost {
		name = objectName(body)
	}
	if target.resource == "namespaces" {
		name = "" // it is that of the run
	}
	if r.Method == http.MethodPost && isClusterScoped(target) {
		body = withRunLabel(body, s.Namespace)
	}
	callName := strings.TrimRight(r.Method+" "+target.resource+"/"+StripRunName(name)+"/"+target.subresource, "/")
	act := s.Injector.intercept(r.Context(), Call{Seam: SeamAPI, Name: callName, Mutates: r.Method != http.MethodGet})
	refused := s.Injector.refuse(r, target, body, s.exists(r, target))
	switch {
	case refused != nil:
		refused(w, r)
		return
	case act.killBefore:
		s.Kill()
		panic(http.ErrAbortHandler)
	case act.stop:
		s.Stop()
	case act.killLater:
		s.Injector.killLater(s.Kill)
	case act.delayed:
		s.Injector.delayGate.wait(context.WithoutCancel(r.Context()))
	case act.answer != "":
		a, ok := apiAnswers[act.answer]
		if !ok {
			break // it belongs to the other seam
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

// serveLease handles leader election: a deposed leader gets no answer.
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

// forwardUncounted forwards a request that is not a call.
func (s *APIServer) forwardUncounted(w http.ResponseWriter, r *http.Request, path string, query url.Values) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.forward(w, r, path, query, body)
}

// forward carries a request out, even if the process that made it is killed meanwhile.
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

// acceptJSON removes from an Accept header what the proxy cannot read.
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
