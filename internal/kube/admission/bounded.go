// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"

	admissionv1 "k8s.io/api/admission/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/internal/kube/keyed"
)

const (
	// baseWeight and weightPerByte bound the bytes that the elements of arrays and the entries of maps of a request take once they are decoded: an
	// element of three bytes becomes a whole struct.
	baseWeight, weightPerByte = 512 << 10, 8
	// largeBody is the size of the largest body that is served beside others, in bytes.
	largeBody = 256 << 10
	// largeOfNamespace is how many bytes the large requests about objects of a namespace may have that are served or wait. While they wait, no other
	// request has their room. A larger one finds room if no other one is there.
	largeOfNamespace = 8 << 20
)

// Bounds bounds requests to webhooks before they are decoded.
type Bounds struct {
	weights weights
	// large bounds the large requests that are served at a time: one of API servers, and one of other clients. One of each namespace waits for
	// this turn, so that no namespace has more turns than another.
	large      keyed.Semaphores[bool]
	namespaces keyed.Semaphores[tenant]
	// bytes are the sizes of the large requests of API servers that are served or wait, by namespace.
	bytes keyed.Semaphores[string]
}

// tenant names the source of large requests: for API servers, the namespace of an object; all other clients are one.
type tenant struct {
	isAPIServer bool
	namespace   string
}

// NewBounds returns the bounds of requests about the kinds of a scheme.
func NewBounds(scheme *runtime.Scheme) *Bounds { return &Bounds{weights: weightsOf(scheme)} }

// Serve serves a webhook, and refuses requests that would take many times their size once they are decoded.
func (b *Bounds) Serve(hook http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "the body of the request cannot be read", http.StatusBadRequest)
			return
		}
		s := newScan(b.weights, body)
		if problem := s.run(); problem != "" {
			refuse(w, body, problem)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if len(body) <= largeBody {
			hook.ServeHTTP(w, r)
			return
		}
		leave := b.acquireLarge(r.Context(), s.namespace, int64(len(body)))
		if leave == nil {
			http.Error(w, "other large requests are served", http.StatusServiceUnavailable)
			return
		}
		defer leave()
		hook.ServeHTTP(&largeAnswer{w, leave}, r)
	})
}

// acquireLarge waits until a large request about an object of a namespace can be served, and no other one until leave, which may be called again.
// leave is nil if other requests of the namespace have its bytes, or the request ends before.
func (b *Bounds) acquireLarge(ctx context.Context, namespace string, size int64) (leave func()) {
	t := tenant{CallerOf(ctx).IsAPIServer, namespace}
	if !t.isAPIServer {
		t.namespace = "" // such a client may name any
	}
	var held []func()
	leave = sync.OnceFunc(func() {
		for _, release := range slices.Backward(held) {
			release()
		}
	})
	if t.isAPIServer {
		release := b.bytes.TryAcquire(namespace, min(size, largeOfNamespace), largeOfNamespace)
		if release == nil {
			return nil
		}
		held = append(held, release)
	}
	release, err := b.namespaces.Acquire(ctx, t, 1, 1)
	if err != nil {
		leave()
		return nil
	}
	held = append(held, release)
	if release, err = b.large.Acquire(ctx, t.isAPIServer, 1, 1); err != nil {
		leave()
		return nil
	}
	held = append(held, release)
	return leave
}

// largeAnswer is the answer to a large request. Once it begins, another large request is served: a client that does not read its answer delays no
// other one.
type largeAnswer struct {
	http.ResponseWriter

	leave func()
}

// Unwrap is for http.ResponseController.
func (a *largeAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader begins an answer.
func (a *largeAnswer) WriteHeader(code int) {
	a.leave()
	a.ResponseWriter.WriteHeader(code)
}

// Write writes a part of an answer.
func (a *largeAnswer) Write(p []byte) (int, error) {
	a.leave()
	return a.ResponseWriter.Write(p)
}

// refuse answers a review. It decodes nothing of its objects.
func refuse(w http.ResponseWriter, body []byte, problem string) {
	var review struct {
		metav1.TypeMeta `json:",inline"`
		Request         struct {
			UID types.UID `json:"uid"`
		} `json:"request"`
	}
	if err := json.Unmarshal(body, &review); err != nil {
		http.Error(w, problem, http.StatusBadRequest)
		return
	}
	result := metav1.Status{Status: metav1.StatusFailure, Code: http.StatusRequestEntityTooLarge, Reason: metav1.StatusReasonRequestEntityTooLarge, Message: problem}
	var answer any = admissionv1.AdmissionReview{TypeMeta: review.TypeMeta, Response: &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &result}}
	if review.Kind == "ConversionReview" {
		answer = apiextensionsv1.ConversionReview{TypeMeta: review.TypeMeta, Response: &apiextensionsv1.ConversionResponse{UID: review.Request.UID, Result: result}}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}
