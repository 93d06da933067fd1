// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/httpserver"
	"github.com/gophernetes/bellhop/internal/kube/keyed"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
	"github.com/gophernetes/bellhop/internal/pager/ingest/endpoint"
	"github.com/gophernetes/bellhop/internal/panics"
)

const (
	// requestTimeout bounds a request, from its header to its answer: senders wait for 10 seconds.
	requestTimeout = 8 * time.Second
	// maxBody is the size of a body in bytes.
	maxBody = httpserver.MaxPost
	// maxRequestsOfSource and maxRequestsOfNamespace bound the requests that are served at the same time, of the 64 of the server.
	maxRequestsOfSource, maxRequestsOfNamespace = 4, 16
	// largeBody and largePost are from which size on, in bytes and alerts, posts are decoded and decided one after the other: a client that posts
	// as much as it may leaves the other processors to others. A post of Prometheus has 64 alerts, and mostly less than 100 KiB.
	largeBody, largePost = 256 << 10, 256
	// retryAfter is for how many seconds a sender should wait.
	retryAfter = "5"
)

// answer is an error: the HTTP response to a request of which not everything was stored.
type answer struct {
	code int
	text string
	// isStored: the valid alerts of the post are stored.
	isStored bool
	// isStranger: nothing shows that the client may post.
	isStranger bool
}

func (a *answer) Error() string { return a.text }

func answerf(code int, format string, args ...any) error {
	return &answer{code: code, text: fmt.Sprintf(format, args...)}
}

// busy returns a 503 for a temporary condition: the sender has to repeat the post.
func busy(format string, args ...any) error {
	return answerf(http.StatusServiceUnavailable, format+"; post again", args...)
}

// Handler serves the paths of all AlertSources, /v1/namespaces/NAMESPACE/alertsources/NAME/….
type Handler struct {
	sources     sourceReader
	access      *Access
	store       *Store
	metrics     *metrics
	bySource    keyed.Semaphores[types.NamespacedName]
	byNamespace keyed.Semaphores[string]
	mux         *http.ServeMux
}

// sourceReader reads an AlertSource from the cache; nil: it does not exist.
type sourceReader func(context.Context, types.NamespacedName) (*v1beta1.AlertSource, error)

// decoder decodes a body.
type decoder struct {
	// name is the value of the metrics' label.
	name   string
	decode func([]byte) (alertmanager.Post, error)
}

var (
	apiDecoder     = decoder{"api", alertmanager.DecodeAlerts}
	webhookDecoder = decoder{"webhook", alertmanager.DecodeWebhook}
)

func newHandler(sources sourceReader, access *Access, store *Store, m *metrics) *Handler {
	h := &Handler{sources: sources, access: access, store: store, metrics: m, mux: http.NewServeMux()}
	source := endpoint.Path("{namespace}", "{name}")
	h.mux.Handle("POST "+source+endpoint.Alerts, h.servePosts(apiDecoder))
	h.mux.Handle("POST "+source+endpoint.Webhook, h.servePosts(webhookDecoder))
	h.mux.Handle("GET "+source+endpoint.Status, h.serveStatus())
	return h
}

// ServeHTTP serves a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// servePosts serves posts in the format of a decoder.
func (h *Handler) servePosts(d decoder) http.Handler {
	return h.respond(d.name, h.store.recordRefusal, func(ctx context.Context, w http.ResponseWriter, r *http.Request, source *v1beta1.AlertSource) error {
		post, err := h.read(ctx, d, w, r)
		if err != nil {
			return err
		}
		result, err := h.store.Put(ctx, source, post)
		h.metrics.count(source, result, len(post.Wrong))
		if err != nil {
			return err
		}
		return wrong(post)
	})
}

// bodies are buffers that are used again: buffers of large bodies would be most of the garbage of the process.
var bodies = sync.Pool{New: func() any { return &bytes.Buffer{} }}

// read reads and decodes a body. The result shares no memory with the buffer.
func (h *Handler) read(ctx context.Context, d decoder, w http.ResponseWriter, r *http.Request) (alertmanager.Post, error) {
	body := bodies.Get().(*bytes.Buffer)
	defer bodies.Put(body)
	body.Reset()
	if err := readBody(body, w, r); err != nil {
		return alertmanager.Post{}, err
	}
	return h.decode(ctx, d, body.Bytes())
}

// decode decodes a body.
func (h *Handler) decode(ctx context.Context, d decoder, body []byte) (alertmanager.Post, error) {
	if len(body) > largeBody {
		leave, err := h.store.enterLarge(ctx)
		if err != nil {
			return alertmanager.Post{}, err
		}
		defer leave()
	}
	post, err := d.decode(body)
	if err != nil {
		return post, answerf(http.StatusBadRequest, "%v", err)
	}
	return post, nil
}

// wrong returns the answer to a post of which alerts are wrong. The others are stored.
func wrong(post alertmanager.Post) error {
	if len(post.Wrong) == 0 {
		return nil
	}
	lines := make([]string, len(post.Wrong))
	for i, w := range post.Wrong {
		lines[i] = fmt.Sprintf("alert %d: %s", w.Index, w.Message)
	}
	text := fmt.Sprintf("%d alerts are stored, and these are not:\n%s", len(post.Alerts), strings.Join(lines, "\n"))
	return &answer{code: http.StatusBadRequest, text: text, isStored: true}
}

// serveStatus serves the status that senders read to find out whether there is an Alertmanager.
func (h *Handler) serveStatus() http.Handler {
	return h.respond("status", nil, func(_ context.Context, w http.ResponseWriter, _ *http.Request, _ *v1beta1.AlertSource) error {
		_, servedSince := h.store.Times.Now()
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(map[string]any{
			"cluster":     map[string]any{"status": "disabled", "peers": []string{}},
			"config":      map[string]string{"original": ""},
			"uptime":      servedSince.Format(time.RFC3339),
			"versionInfo": map[string]string{"version": "bellhop"},
		})
	})
}

// respond calls handle for a request that may be served, and writes the error that it returns. refused is called before a refusal is written; it is
// nil if the request is no post.
func (h *Handler) respond(what string, refused func(context.Context, *v1beta1.AlertSource) error, handle func(context.Context, http.ResponseWriter, *http.Request, *v1beta1.AlertSource) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := h.store.Times.Clock.Now()
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		_ = http.NewResponseController(w).SetReadDeadline(start.Add(requestTimeout)) // the context ends the request if the connection has no deadlines

		source, err := h.admit(ctx, r)
		switch {
		case err == nil:
			err = h.callWithinLimits(source, func() (err error) {
				defer panics.Recover(ctx, panics.Cluster, "serving a request to an AlertSource", &err)
				return handle(ctx, w, r, source)
			})
			if refused != nil && err != nil && !isStored(err) {
				err = h.refuse(ctx, w, source, err, refused)
			}
		case refused != nil && source != nil && isBusy(err) && !isStranger(err): // perhaps the sender may post: a client that is not known has nothing written
			h.store.keepRefusal(source)
		}
		h.metrics.observe(what, write(w, err), h.store.Times.Clock.Since(start))
		if err != nil {
			log.FromContext(ctx).V(1).Info("Refused a post", "path", r.URL.Path, "why", err.Error())
		}
	})
}

// isStored reports whether the answer is to a post of which everything is stored that can be.
func isStored(err error) bool {
	a, isAnswer := errors.AsType[*answer](err)
	return isAnswer && a.isStored
}

// isBusy reports whether an answer is that to a temporary condition.
func isBusy(err error) bool {
	a, isAnswer := errors.AsType[*answer](err)
	return isAnswer && a.code == http.StatusServiceUnavailable
}

// isUnauthorized reports whether an answer is to a client whose token is not known.
func isUnauthorized(err error) bool {
	a, isAnswer := errors.AsType[*answer](err)
	return isAnswer && a.code == http.StatusUnauthorized
}

// isStranger reports whether the answer is to a client whose token was not known a moment ago.
func isStranger(err error) bool {
	a, isAnswer := errors.AsType[*answer](err)
	return isAnswer && a.isStranger
}

// admit returns the AlertSource of a request, if there is one, and the answer to a sender that may not post to it.
func (h *Handler) admit(ctx context.Context, r *http.Request) (*v1beta1.AlertSource, error) {
	name := types.NamespacedName{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
	source, err := h.sources(ctx, name)
	if err != nil {
		return nil, busy("the AlertSource cannot be read")
	}
	if err := h.access.Check(ctx, r, name, source); err != nil {
		return source, err
	}
	httpserver.Admit(ctx, name.Namespace)
	return source, nil
}

// refuse writes the refusal of a post to the status of the AlertSource, and then returns the refusal. If the write fails, it closes the connection
// and returns a 503, so that the sender repeats the post at another replica.
func (h *Handler) refuse(ctx context.Context, w http.ResponseWriter, source *v1beta1.AlertSource, refusal error, record func(context.Context, *v1beta1.AlertSource) error) error {
	err := record(ctx, source)
	if err == nil {
		return refusal
	}
	w.Header().Set("Connection", "close")
	if isBusy(refusal) {
		return refusal
	}
	return busy("the AlertSource cannot be written")
}

// callWithinLimits calls a function if fewer requests to the AlertSource and its namespace are served than may be at once.
func (h *Handler) callWithinLimits(source *v1beta1.AlertSource, call func() error) error {
	name := client.ObjectKeyFromObject(source)
	leaveNamespace := h.byNamespace.TryAcquire(name.Namespace, 1, maxRequestsOfNamespace)
	if leaveNamespace == nil {
		return busy("%d requests to AlertSources of namespace %s are served, which is the limit", maxRequestsOfNamespace, name.Namespace)
	}
	defer leaveNamespace()
	leaveSource := h.bySource.TryAcquire(name, 1, maxRequestsOfSource)
	if leaveSource == nil {
		return busy("%d requests to the AlertSource are served, which is the limit", maxRequestsOfSource)
	}
	defer leaveSource()
	return call()
}

// readBody reads a body, unless its length is known to be too large.
func readBody(into *bytes.Buffer, w http.ResponseWriter, r *http.Request) error {
	tooLarge := answerf(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", maxBody)
	if r.ContentLength > maxBody {
		return tooLarge
	}
	_, err := into.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	if _, isTooLarge := errors.AsType[*http.MaxBytesError](err); isTooLarge {
		return tooLarge
	}
	if err != nil {
		return busy("the body was not complete within %s", requestTimeout)
	}
	return nil
}

// write writes an answer, and returns its code.
func write(w http.ResponseWriter, err error) int {
	if err == nil {
		return http.StatusOK
	}
	a, ok := errors.AsType[*answer](err)
	if !ok {
		a = &answer{code: http.StatusServiceUnavailable, text: "the post cannot be stored now; post again"}
	}
	switch a.code {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="bellhop"`)
	}
	http.Error(w, a.text, a.code)
	return a.code
}
