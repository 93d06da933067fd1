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

// ID returns the id of the binding, or else of the instance.
func (c Call) ID() string {
	if c.BindingID != "" {
		return c.BindingID
	}
	return c.InstanceID
}

// request is a call while it is being answered.
type request struct {
	Call
	http     *http.Request
	endpoint *endpoint
	body     body
	fault    Fault // the zero value: none
}

// body has the members that a request can have in its body.
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

// reply is the broker's answer.
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
	refused := b.take(c)
	record := b.record(c)
	status := &statusWriter{ResponseWriter: w}
	defer func() { record(status.status) }() // also where the answer is a dropped connection
	if refused != nil {
		refused.write(status)
		return
	}
	b.answer(status, c)
}

// answer carries out the request or the fault.
func (b *Broker) answer(w http.ResponseWriter, r *request) {
	var own reply
	f := r.fault
	if f.Acts {
		own = b.act(r)
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
		own = b.act(r)
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

// take reads the request and checks its form. It returns how it is refused; nil: it is not.
func (b *Broker) take(r *request) *reply {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.At = b.options.Now()
	b.route(r)
	if refused := b.admit(r); refused != nil {
		return refused
	}
	if problem := r.read(); problem != "" {
		refused := b.violation(r, http.StatusBadRequest, "%s", problem)
		return &refused
	}
	if c := r.endpoint.change; c != nil {
		c.count(b.past(r.ID()))
	}
	r.fault = b.fault(r.Call)
	return nil
}

// record keeps the call, and returns a function that adds the status.
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

// endpoint is how the broker offers an operation.
type endpoint struct {
	request   string                // method and path; * is an id
	query     map[string]bool       // parameters that a request may have in its query; true: that it must have
	checkBody func(*request) string // nil: it must have none
	handle    func(*Broker, *request) reply
	change    *change // that it begins; nil: none
}

const (
	onInstance = " /v2/service_instances/*"
	onBinding  = onInstance + "/service_bindings/*"
)

var (
	changing = map[string]bool{"accepts_incomplete": false}
	removing = map[string]bool{"accepts_incomplete": false, "service_id": true, "plan_id": true}
	fetching = map[string]bool{"service_id": false, "plan_id": false}
	polling  = map[string]bool{"service_id": true, "plan_id": true, "operation": false}
)

var endpoints = map[osb.Operation]*endpoint{
	osb.GetCatalog:               {"GET /v2/catalog", nil, nil, (*Broker).catalog, nil},
	osb.ProvisionInstance:        {"PUT" + onInstance, changing, (*request).checkProvision, (*Broker).provision, creation},
	osb.GetInstance:              {"GET" + onInstance, fetching, nil, (*Broker).getInstance, nil},
	osb.UpdateInstance:           {"PATCH" + onInstance, changing, (*request).checkUpdate, (*Broker).update, update},
	osb.DeprovisionInstance:      {"DELETE" + onInstance, removing, nil, (*Broker).deprovision, removal},
	osb.PollLastOperation:        {"GET" + onInstance + "/last_operation", polling, nil, (*Broker).poll, nil},
	osb.Bind:                     {"PUT" + onBinding, changing, (*request).checkBind, (*Broker).bind, creation},
	osb.GetBinding:               {"GET" + onBinding, fetching, nil, (*Broker).getBinding, nil},
	osb.Unbind:                   {"DELETE" + onBinding, removing, nil, (*Broker).unbind, removal},
	osb.PollBindingLastOperation: {"GET" + onBinding + "/last_operation", polling, nil, (*Broker).poll, nil},
}

// route finds the endpoint that the path names.
func (b *Broker) route(r *request) {
	segments := strings.Split(r.http.URL.EscapedPath(), "/") // "", "v2", …
	for i, id := range map[int]*string{3: &r.InstanceID, 5: &r.BindingID} {
		if i < len(segments) {
			*id, _ = url.PathUnescape(segments[i]) // the server has refused a path that cannot be unescaped
			segments[i] = "*"
		}
	}
	asked := r.http.Method + " " + strings.Join(segments, "/")
	for operation, e := range endpoints {
		if e.request == asked {
			r.Operation, r.endpoint = operation, e
		}
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

// read reads identity, query and body of the request, and returns a problem of its form; empty: there is none.
func (r *request) read() string {
	for _, check := range []func() string{r.readIdentity, r.checkRequestIdentity, r.checkQuery, r.readBody} {
		if problem := check(); problem != "" {
			return problem
		}
	}
	return ""
}

func (r *request) readBody() string {
	if r.endpoint.checkBody == nil {
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
	return r.endpoint.checkBody(r)
}
