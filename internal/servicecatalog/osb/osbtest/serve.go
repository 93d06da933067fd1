// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osbtest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
)

// Call is a request as the broker got it.
type Call struct {
	Operation  osb.Operation
	InstanceID string
	BindingID  string
	// URI is path and query as they came.
	URI    string
	Query  url.Values
	Header http.Header
	Body   []byte
	// Identity is the user who caused it; nil: the request does not say.
	Identity *osb.Identity
	// At is when it came. Status is how it was answered; 0: not yet, or not at all.
	At     time.Time
	Status int
}

// ID is that of the binding, or else of the instance.
func (c Call) ID() string {
	if c.BindingID != "" {
		return c.BindingID
	}
	return c.InstanceID
}

// request is a call while it is being answered.
type request struct {
	Call
	http *http.Request
	body body
}

// body is what any of the requests can have in its body.
type body struct {
	ServiceID        string          `json:"service_id"`
	PlanID           string          `json:"plan_id"`
	OrganizationGUID string          `json:"organization_guid"`
	SpaceGUID        string          `json:"space_guid"`
	Context          map[string]any  `json:"context"`
	Parameters       json.RawMessage `json:"parameters"`
	MaintenanceInfo  *struct {
		Version string `json:"version"`
	} `json:"maintenance_info"`
	PreviousValues *struct {
		PlanID string `json:"plan_id"`
	} `json:"previous_values"`
	AppGUID      *string `json:"app_guid"`
	BindResource *struct {
		AppGUID *string `json:"app_guid"`
	} `json:"bind_resource"`
	PredecessorID string `json:"predecessor_binding_id"`
}

// reply is what the broker answers.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.header)
	if len(r.body) > 0 {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body)
}

// say answers with a value in JSON.
func say(status int, value any) reply {
	text, err := json.Marshal(value)
	if err != nil {
		return refuse(http.StatusInternalServerError, "", "%v", err)
	}
	return reply{status: status, body: text}
}

// refuse answers with an error.
func refuse(status int, word, format string, args ...any) reply {
	return reply{status: status, body: errorText(word, fmt.Sprintf(format, args...))}
}

func errorText(word, description string) []byte {
	said := map[string]string{"description": description}
	if word != "" {
		said["error"] = word
	}
	text, _ := json.Marshal(said) // strings always encode
	return text
}

// ServeHTTP answers as a broker does.
func (b *Broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	if err != nil {
		return
	}
	c := &request{http: r, Call: Call{URI: r.RequestURI, Query: r.URL.Query(), Header: r.Header, Body: text}}
	refused, f := b.take(c)
	record := b.record(c)
	status := &statusWriter{ResponseWriter: w}
	defer func() { record(status.status) }() // also where the answer is a dropped connection
	if refused != nil {
		refused.write(status)
		return
	}
	b.answer(status, c, f)
}

// answer does what is asked, or what the fault says.
func (b *Broker) answer(w http.ResponseWriter, r *request, f Fault) {
	var own reply
	if f.Acts {
		own = b.act(r, f)
	}
	if f.Hold != nil {
		select {
		case <-f.Hold:
		case <-r.http.Context().Done():
			return
		}
	}
	if f.Answer != nil {
		f.Answer(w, r.http, r.Call)
		return
	}
	if !f.Acts {
		own = b.act(r, f)
	}
	own.write(w)
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// take reads the request and checks its form. It returns how it is refused, or what fault
// is to happen to it.
func (b *Broker) take(r *request) (*reply, Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.At = b.options.Now()
	b.route(r)
	if refused := b.admit(r); refused != nil {
		return refused, Fault{}
	}
	if problem := r.read(); problem != "" {
		refused := b.violation(r, http.StatusBadRequest, "%s", problem)
		return &refused, Fault{}
	}
	b.count(r)
	return nil, b.fault(r.Call)
}

func (b *Broker) count(r *request) {
	switch h := b.past; r.Operation {
	case osb.ProvisionInstance, osb.Bind:
		h(r.ID()).Puts++
	case osb.UpdateInstance:
		h(r.ID()).Patches++
	case osb.DeprovisionInstance, osb.Unbind:
		h(r.ID()).Deletes++
	default:
	}
}

// record keeps the call; what it returns adds the status.
func (b *Broker) record(r *request) func(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts[r.Operation]++
	if b.options.Terse {
		return func(int) {}
	}
	kept := r.Call
	b.calls = append(b.calls, &kept)
	return func(status int) {
		b.mu.Lock()
		defer b.mu.Unlock()
		kept.Status = status
	}
}

// violation records that a request broke the protocol, and refuses it.
func (b *Broker) violation(r *request, status int, format string, args ...any) reply {
	problem := fmt.Sprintf(format, args...)
	name := string(r.Operation)
	if name == "" {
		name = r.http.Method + " " + r.URI
	}
	b.violations = append(b.violations, strings.TrimSpace(name+" "+r.ID())+": "+problem)
	return refuse(status, "", "%s", problem)
}

// route finds out what is asked.
func (b *Broker) route(r *request) {
	segments := strings.Split(strings.TrimPrefix(r.http.URL.EscapedPath(), "/"), "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return
		}
		segments[i] = plain
	}
	names := func(indices ...int) string {
		var named []string
		for _, i := range indices {
			named = append(named, segments[i])
		}
		return r.http.Method + " " + strings.Join(named, "/")
	}
	switch len(segments) {
	case 2:
		r.Operation = map[string]osb.Operation{"GET v2/catalog": osb.GetCatalog}[names(0, 1)]
	case 3:
		r.InstanceID = segments[2]
		r.Operation = map[string]osb.Operation{
			"PUT v2/service_instances": osb.ProvisionInstance, "GET v2/service_instances": osb.GetInstance,
			"PATCH v2/service_instances": osb.UpdateInstance, "DELETE v2/service_instances": osb.DeprovisionInstance,
		}[names(0, 1)]
	case 4:
		r.InstanceID = segments[2]
		r.Operation = map[string]osb.Operation{"GET v2/service_instances/last_operation": osb.PollLastOperation}[names(0, 1, 3)]
	case 5:
		r.InstanceID, r.BindingID = segments[2], segments[4]
		r.Operation = map[string]osb.Operation{
			"PUT v2/service_instances/service_bindings": osb.Bind, "GET v2/service_instances/service_bindings": osb.GetBinding,
			"DELETE v2/service_instances/service_bindings": osb.Unbind,
		}[names(0, 1, 3)]
	case 6:
		r.InstanceID, r.BindingID = segments[2], segments[4]
		r.Operation = map[string]osb.Operation{"GET v2/service_instances/service_bindings/last_operation": osb.PollBindingLastOperation}[names(0, 1, 3, 5)]
	}
}

// admit refuses a request whose credentials or protocol version are wrong; nil: neither is.
func (b *Broker) admit(r *request) *reply {
	version := r.Header.Get("X-Broker-API-Version")
	var refused reply
	switch {
	case !b.isAuthentic(r.Header.Get("Authorization")):
		refused = refuse(http.StatusUnauthorized, "", "the credentials are not right")
	case version == "":
		refused = b.violation(r, http.StatusBadRequest, "there is no X-Broker-API-Version")
	case !slices.Contains(b.options.Versions, version):
		refused = refuse(http.StatusPreconditionFailed, "", "use version %s", strings.Join(b.options.Versions, " or "))
	case r.Operation == "":
		refused = b.violation(r, http.StatusNotFound, "there is no such endpoint")
	default:
		return nil
	}
	return &refused
}

func (b *Broker) isAuthentic(authorization string) bool {
	switch o := b.options; {
	case o.Token != "":
		return authorization == "Bearer "+o.Token
	case o.Username+o.Password != "":
		return authorization == "Basic "+base64.StdEncoding.EncodeToString([]byte(o.Username+":"+o.Password))
	}
	return true
}

// read takes in what the request says, and returns what is wrong with its form.
func (r *request) read() string {
	checks := []func() string{r.readIdentity, r.checkRequestIdentity, r.checkQuery, r.readBody}
	switch r.Operation {
	case osb.ProvisionInstance:
		checks = append(checks, r.checkProvision)
	case osb.UpdateInstance:
		checks = append(checks, r.checkUpdate)
	case osb.Bind:
		checks = append(checks, r.checkBind)
	default:
	}
	for _, check := range checks {
		if problem := check(); problem != "" {
			return problem
		}
	}
	return ""
}

func (r *request) readBody() string {
	if r.http.Method != http.MethodPut && r.http.Method != http.MethodPatch {
		if len(r.Body) > 0 {
			return "it has a body"
		}
		return ""
	}
	if r.Header.Get("Content-Type") != "application/json" {
		return "Content-Type must be application/json"
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	if err := decoder.Decode(&r.body); err != nil {
		return "the body cannot be read: " + err.Error()
	}
	if p := bytes.TrimSpace(r.body.Parameters); len(p) > 0 && p[0] != '{' {
		return "parameters must be an object"
	}
	return ""
}
