// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apitest has an API server in memory, for tests of what commands do if a request fails, or if another client writes at the same time.
package apitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/command"
)

// decoder decodes JSON, and protobuf, which client-go sends for Secrets.
var decoder = serializer.NewCodecFactory(cli.Scheme).UniversalDeserializer()

// Server is an API server with the objects of a test. It has no watches, admission, or garbage collection.
type Server struct {
	// Before, if it is set, is called before a request is carried out. True: it has answered, and the request is not carried out.
	Before func(w http.ResponseWriter, r *http.Request) bool
	// After, if it is set, is called after a request was carried out. True: it has answered.
	After func(w http.ResponseWriter, r *http.Request) bool

	url     string
	mu      sync.Mutex
	version int
	objects map[string]*unstructured.Unstructured
}

// New starts a server without objects, which ends with the test.
func New(t *testing.T) *Server {
	t.Helper()
	s := &Server{objects: map[string]*unstructured.Unstructured{}}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	s.url = server.URL
	return s
}

// Run runs a command line of the plugin in the namespace default, and returns what it prints on both streams, and its exit code.
func (s *Server) Run(t *testing.T, input, args string) (out string, code int) {
	t.Helper()
	var printed bytes.Buffer
	streams := genericiooptions.IOStreams{In: strings.NewReader(input), Out: &printed, ErrOut: &printed}
	code = command.Run(t.Context(), streams, append(strings.Fields(args), "--namespace=default", "--server="+s.url))
	return printed.String(), code
}

// IsWrite reports whether a request stores something of a resource, such as secrets.
func IsWrite(r *http.Request, method, resource string) bool {
	return r.Method == method && !r.URL.Query().Has("dryRun") && strings.Contains(r.URL.Path+"/", "/"+resource+"/")
}

// Put stores an object of a namespaced resource such as secrets in the namespace default, with a UID and a version.
func (s *Server) Put(t *testing.T, resource string, object cli.Object) {
	t.Helper()
	gvks, _, err := cli.Scheme.ObjectKinds(object)
	if err != nil {
		t.Fatal(err)
	}
	stored := &unstructured.Unstructured{}
	if stored.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(object); err != nil {
		t.Fatal(err)
	}
	stored.SetGroupVersionKind(gvks[0])
	stored.SetNamespace("default")
	root := "/apis"
	if gvks[0].Group == "" {
		root = "/api"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(path.Join(root, gvks[0].GroupVersion().String(), "namespaces/default", resource, object.GetName()), stored)
}

// Names are the objects as RESOURCE/NAME, in order.
func (s *Server) Names() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		names = append(names, path.Join(path.Base(path.Dir(key)), path.Base(key)))
	}
	slices.Sort(names)
	return names
}

// Field returns a field of the object RESOURCE/NAME, nil without one.
func (s *Server) Field(name string, fields ...string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, object := range s.objects {
		if strings.HasSuffix(key, "/"+name) {
			value, _, _ := unstructured.NestedFieldNoCopy(object.Object, fields...)
			return value
		}
	}
	return nil
}

// Edit changes the object RESOURCE/NAME as another client; nil deletes it.
func (s *Server) Edit(name string, edit func(*unstructured.Unstructured)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, object := range s.objects {
		if !strings.HasSuffix(key, "/"+name) {
			continue
		}
		if edit == nil {
			delete(s.objects, key)
			continue
		}
		edit(object)
		s.store(key, object)
	}
}

// store gives an object a new version, and the UID that it lacks. The lock is held.
func (s *Server) store(key string, object *unstructured.Unstructured) {
	s.version++
	object.SetResourceVersion(strconv.Itoa(s.version))
	if object.GetUID() == "" {
		object.SetUID(types.UID("uid-" + strconv.Itoa(s.version)))
	}
	s.objects[key] = object
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.Before != nil && s.Before(w, r) {
		return
	}
	answer, err := s.do(r)
	if s.After != nil && s.After(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		status := apierrors.APIStatus(apierrors.NewInternalError(err))
		_ = errors.As(err, &status)
		w.WriteHeader(int(status.Status().Code))
		answer = status.Status()
	}
	_ = json.NewEncoder(w).Encode(answer) // the command may have ended
}

// do carries out a request, and returns its result.
func (s *Server) do(r *http.Request) (any, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	object, exists := s.objects[r.URL.Path]
	resource, name := schema.GroupResource{Resource: path.Base(path.Dir(r.URL.Path))}, path.Base(r.URL.Path)
	isStored := !r.URL.Query().Has("dryRun")
	switch {
	case r.Method == http.MethodPost:
		return s.create(r.URL.Path, body, isStored)
	case r.Method == http.MethodGet && s.isCollection(r.URL.Path):
		return s.list(r.URL.Path), nil
	case !exists:
		return nil, apierrors.NewNotFound(resource, name)
	case r.Method == http.MethodPatch:
		return s.patch(r.URL.Path, object, body, isStored)
	case r.Method == http.MethodDelete:
		return s.delete(r.URL.Path, object, body, isStored)
	default:
		return object, nil
	}
}

// isCollection reports whether a path is of all objects of a resource. Paths of objects have an even number of elements after the version.
func (s *Server) isCollection(requested string) bool {
	elements := strings.Split(strings.TrimPrefix(strings.TrimPrefix(requested, "/apis/"), "/api/"), "/")
	if strings.HasPrefix(requested, "/apis/") {
		elements = elements[1:] // the group
	}
	return len(elements)%2 == 0
}

func (s *Server) list(collection string) any {
	list := &unstructured.UnstructuredList{Object: map[string]any{}}
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if path.Dir(key) == collection {
			list.Items = append(list.Items, *s.objects[key])
		}
	}
	list.SetResourceVersion(strconv.Itoa(s.version))
	return map[string]any{"metadata": list.Object["metadata"], "items": list.Items}
}

func (s *Server) create(collection string, body []byte, isStored bool) (any, error) {
	decoded, _, err := decoder.Decode(body, nil, nil)
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	if object.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(decoded); err != nil {
		return nil, err
	}
	key := path.Join(collection, object.GetName())
	if s.objects[key] != nil {
		return nil, apierrors.NewAlreadyExists(schema.GroupResource{Resource: path.Base(collection)}, object.GetName())
	}
	if text, ok, _ := unstructured.NestedStringMap(object.Object, "stringData"); ok {
		data := map[string][]byte{}
		for field, value := range text {
			data[field] = []byte(value)
		}
		object.Object["data"] = encoded(data)
		delete(object.Object, "stringData")
	}
	if isStored {
		s.store(key, object)
	}
	return object, nil
}

// encoded are the values of a Secret in JSON.
func encoded(data map[string][]byte) map[string]any {
	text, _ := json.Marshal(data)
	values := map[string]any{}
	_ = json.Unmarshal(text, &values)
	return values
}

func (s *Server) patch(key string, object *unstructured.Unstructured, patch []byte, isStored bool) (any, error) {
	before, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	after, err := jsonpatch.MergePatch(before, patch)
	if err != nil {
		return nil, err
	}
	patched := &unstructured.Unstructured{}
	if err := patched.UnmarshalJSON(after); err != nil {
		return nil, err
	}
	if patched.GetResourceVersion() != object.GetResourceVersion() {
		return nil, apierrors.NewConflict(schema.GroupResource{}, object.GetName(), nil)
	}
	if isStored {
		s.store(key, patched)
	}
	return patched, nil
}

func (s *Server) delete(key string, object *unstructured.Unstructured, body []byte, isStored bool) (any, error) {
	options := &metav1.DeleteOptions{}
	if _, _, err := decoder.Decode(body, nil, options); err != nil {
		return nil, err
	}
	if p := options.Preconditions; p != nil && (p.UID != nil && *p.UID != object.GetUID() || p.ResourceVersion != nil && *p.ResourceVersion != object.GetResourceVersion()) {
		return nil, apierrors.NewConflict(schema.GroupResource{}, object.GetName(), nil)
	}
	if isStored {
		delete(s.objects, key)
	}
	return metav1.Status{Status: metav1.StatusSuccess}, nil
}
