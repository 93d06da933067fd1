// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kube is an API server in memory, for tests with a fake clock: an API server in another process would take real time. It has what
// the operator asks of it about custom resources: optimistic locks, the subresource status, finalizers, watches, and JSON and merge patches. It
// validates nothing.
package kube

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/watch"
)

// Resource is a kind of objects that the server has.
type Resource struct {
	schema.GroupVersionResource
	Kind         string
	IsNamespaced bool
}

// Object is an object as JSON has it.
type Object = unstructured.Unstructured

// Server is an API server. Its objects are replaced, and never modified.
type Server struct {
	// Now is the server's time.
	Now func() time.Time
	// Latency is how long a write takes. A read takes no time: the operator has locks while it reads, and a fake clock does not go on while a
	// goroutine waits for a lock.
	Latency func() time.Duration
	// Created is called with each object that is created, while the server is locked.
	Created func(*Object)

	resources []Resource

	mu      sync.Mutex
	version int64
	objects map[key]*Object
	changes []change
	// changed is closed, and replaced, with each change.
	changed chan struct{}
	isDown  bool
}

// key identifies an object.
type key struct {
	resource  string
	namespace string
	name      string
}

// change is one of the changes that watches show.
type change struct {
	resource string
	version  int64
	kind     watch.EventType
	object   *Object
}

// New returns a server without objects.
func New(now func() time.Time, resources ...Resource) *Server {
	return &Server{
		Now: now, Latency: func() time.Duration { return 0 }, Created: func(*Object) {},
		resources: resources, objects: map[key]*Object{}, changed: make(chan struct{}),
	}
}

// SetDown has the server answer each request with 503, and end its watches.
func (s *Server) SetDown(isDown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isDown = isDown
	s.wake()
}

func (s *Server) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Put creates or replaces an object, whoever has written it.
func (s *Server) Put(resource, namespace, name string, content map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := (&Object{Object: content}).DeepCopy()
	o.SetNamespace(namespace)
	o.SetName(name)
	k := key{resource, namespace, name}
	kind := watch.Modified
	if s.objects[k] == nil {
		kind = watch.Added
		s.fill(o)
	}
	s.store(k, kind, o)
}

// Edit changes an object, whoever does it, if it exists.
func (s *Server) Edit(resource, namespace, name string, edit func(*Object)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{resource, namespace, name}
	if present := s.objects[k]; present != nil {
		after := present.DeepCopy()
		edit(after)
		after.SetGeneration(present.GetGeneration() + 1)
		s.store(k, watch.Modified, after)
	}
}

// fill sets what a new object has from the server.
func (s *Server) fill(o *Object) {
	o.SetUID(uuid.NewUUID())
	o.SetCreationTimestamp(metav1.NewTime(s.Now().Truncate(time.Second)))
	o.SetGeneration(1)
}

// List returns the objects of a resource, which are to be left as they are.
func (s *Server) List(resource string) (objects []*Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list(resource, "", labels.Everything())
}

func (s *Server) list(resource, namespace string, selector labels.Selector) (objects []*Object) {
	for k, o := range s.objects {
		if k.resource == resource && (namespace == "" || k.namespace == namespace) && selector.Matches(labels.Set(o.GetLabels())) {
			objects = append(objects, o)
		}
	}
	slices.SortFunc(objects, func(x, y *Object) int {
		return strings.Compare(x.GetNamespace()+"/"+x.GetName(), y.GetNamespace()+"/"+y.GetName())
	})
	return objects
}

// store records a change. The object is the server's from then on.
func (s *Server) store(k key, kind watch.EventType, o *Object) {
	s.version++
	o.SetResourceVersion(strconv.FormatInt(s.version, 10))
	if kind == watch.Deleted {
		delete(s.objects, k)
	} else {
		s.objects[k] = o
	}
	s.changes = append(s.changes, change{resource: k.resource, version: s.version, kind: kind, object: o})
	s.wake()
}

// request is a request about objects.
type request struct {
	*http.Request
	key
	Resource
	subresource string
}

// parse returns what a request is about.
func (s *Server) parse(r *http.Request) (*request, error) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var gv schema.GroupVersion
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		gv.Version, parts = parts[1], parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		gv.Group, gv.Version, parts = parts[1], parts[2], parts[3:]
	default:
		return nil, apierrors.NewGenericServerResponse(http.StatusNotFound, r.Method, schema.GroupResource{}, "", r.URL.Path, 0, false)
	}
	parsed := &request{Request: r}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parsed.namespace, parts = parts[1], parts[2:]
	}
	parsed.resource = parts[0]
	if len(parts) > 1 {
		parsed.name = parts[1]
	}
	if len(parts) > 2 {
		parsed.subresource = parts[2]
	}
	for _, known := range s.resources {
		if known.GroupVersion() == gv && known.Resource == parsed.resource {
			parsed.Resource = known
			return parsed, nil
		}
	}
	return nil, apierrors.NewGenericServerResponse(http.StatusNotFound, r.Method, schema.GroupResource{Group: gv.Group, Resource: parsed.resource}, "", "", 0, false)
}

// ServeHTTP serves a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		time.Sleep(s.Latency())
	}
	w.Header().Set("Date", s.Now().UTC().Format(http.TimeFormat))
	parsed, err := s.parse(r)
	switch {
	case err == nil && r.Method == http.MethodGet && parsed.name == "" && r.URL.Query().Get("watch") != "":
		err = s.watch(w, parsed)
		if err == nil {
			return
		}
	case err == nil:
		var answer any
		if answer, err = s.serve(parsed); err == nil {
			write(w, http.StatusOK, answer)
			return
		}
	}
	status, isStatus := errors.AsType[*apierrors.StatusError](err)
	if !isStatus {
		status = apierrors.NewInternalError(err)
	}
	answer := status.Status()
	answer.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	write(w, int(answer.Code), answer)
}

func write(w http.ResponseWriter, code int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
}

// serve does what a request asks for, and returns the answer.
func (s *Server) serve(r *request) (any, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDown {
		return nil, down()
	}
	switch {
	case r.Method == http.MethodGet && r.name == "":
		return s.serveList(r)
	case r.Method == http.MethodPost:
		return s.create(r, body)
	}
	present := s.objects[r.key]
	if present == nil {
		return nil, apierrors.NewNotFound(r.GroupResource(), r.name)
	}
	switch r.Method {
	case http.MethodGet:
		return shown(r, present), nil
	case http.MethodPut:
		desired := &Object{}
		if err := utiljson.Unmarshal(body, &desired.Object); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		return s.update(r, present, desired)
	case http.MethodPatch:
		return s.patch(r, present, body)
	case http.MethodDelete:
		return s.delete(r, present, body)
	}
	return nil, apierrors.NewMethodNotSupported(r.GroupResource(), r.Method)
}

func down() error { return apierrors.NewServiceUnavailable("the API server is down") }

// shown returns an object, or its metadata if only that is asked for.
func shown(r *request, o *Object) any {
	if !strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata") {
		return o.Object
	}
	return map[string]any{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": o.Object["metadata"]}
}

func (s *Server) serveList(r *request) (any, error) {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	items := []any{}
	for _, o := range s.list(r.resource, r.namespace, selector) {
		items = append(items, shown(r, o))
	}
	answer := map[string]any{"apiVersion": r.GroupVersion().String(), "kind": r.Kind + "List", "items": items, "metadata": map[string]any{"resourceVersion": strconv.FormatInt(s.version, 10)}}
	if strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata") {
		answer["apiVersion"], answer["kind"] = "meta.k8s.io/v1", "PartialObjectMetadataList"
	}
	return answer, nil
}

func (s *Server) create(r *request, body []byte) (any, error) {
	o := &Object{}
	if err := utiljson.Unmarshal(body, &o.Object); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	k := r.key
	if k.name = o.GetName(); k.name == "" {
		return nil, apierrors.NewBadRequest("the object has no name")
	}
	if s.objects[k] != nil {
		return nil, apierrors.NewAlreadyExists(r.GroupResource(), k.name)
	}
	o.SetNamespace(k.namespace)
	o.SetAPIVersion(r.GroupVersion().String())
	o.SetKind(r.Kind)
	delete(o.Object, "status")
	s.fill(o)
	s.store(k, watch.Added, o)
	s.Created(o)
	return o.Object, nil
}
