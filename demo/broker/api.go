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

package broker

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

const maxBody = 1 << 20

// A call is a request of a platform.
type call struct {
	instanceID, bindingID string
	// Of the query:
	acceptsIncomplete            bool
	serviceID, planID, operation string

	body requestBody
}

// requestBody has what all bodies have.
type requestBody struct {
	ServiceID            string           `json:"service_id"`
	PlanID               string           `json:"plan_id"`
	OrganizationGUID     string           `json:"organization_guid"`
	SpaceGUID            string           `json:"space_guid"`
	Context              map[string]any   `json:"context"`
	Parameters           map[string]any   `json:"parameters"`
	MaintenanceInfo      *maintenanceInfo `json:"maintenance_info"`
	AppGUID              *string          `json:"app_guid"`
	BindResource         map[string]any   `json:"bind_resource"`
	PredecessorBindingID *string          `json:"predecessor_binding_id"`
}

// An answer is what it is answered with.
type answer struct {
	status int
	body   any
	header http.Header
}

type object map[string]any

// Codes of the protocol for what is to be done about an error.
const (
	asyncRequired           = "AsyncRequired"
	concurrencyError        = "ConcurrencyError"
	maintenanceInfoConflict = "MaintenanceInfoConflict"
)

func refuse(status int, code, format string, args ...any) answer {
	body := object{"description": fmt.Sprintf(format, args...)}
	if code != "" {
		body["error"] = code
	}
	return answer{status: status, body: body}
}

func badRequest(err error) answer { return refuse(http.StatusBadRequest, "", "%s", err) }

func needsAsync() answer {
	return refuse(http.StatusUnprocessableEntity, asyncRequired, "This service takes its time: ask with accepts_incomplete=true")
}

func isBusy(o *operation) answer {
	return refuse(http.StatusUnprocessableEntity, concurrencyError, "Another operation is in progress: %s", o.verb)
}

func accepted(o *operation) answer {
	return answer{status: http.StatusAccepted, body: object{"operation": o.ID}}
}

func gone() answer { return answer{status: http.StatusGone, body: object{}} }

func broken(err error) answer { return refuse(http.StatusInternalServerError, "", "%s", err) }

// Handler returns the broker's API.
func (b *Broker) Handler() http.Handler {
	const one, bound = "/v2/service_instances/{instance}", "/v2/service_instances/{instance}/service_bindings/{binding}"
	mux := http.NewServeMux()
	for pattern, h := range map[string]struct {
		what  string
		serve func(*call) answer
	}{
		"PUT " + one:                       {"provision", b.provision},
		"PATCH " + one:                     {"update", b.update},
		"DELETE " + one:                    {"deprovision", b.deprovision},
		"GET " + one:                       {"fetch", b.fetch},
		"GET " + one + "/last_operation":   {"poll", b.poll},
		"PUT " + bound:                     {"bind", b.bind},
		"DELETE " + bound:                  {"unbind", b.unbind},
		"GET " + bound:                     {"fetch binding", b.fetchBinding},
		"GET " + bound + "/last_operation": {"poll binding", b.pollBinding},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { b.serve(w, r, h.what, h.serve) })
	}
	mux.HandleFunc("GET /v2/catalog", b.serveCatalog)
	return b.guard(mux)
}

// guard lets in who knows the password and speaks the protocol.
func (b *Broker) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Broker-API-Request-Identity"); id != "" {
			w.Header().Set("X-Broker-API-Request-Identity", id)
		}
		if username, password, _ := r.BasicAuth(); !equal(username, b.options.Username) || !equal(password, b.options.Password) {
			b.count("refused")
			w.Header().Set("WWW-Authenticate", `Basic realm="broker"`)
			refuse(http.StatusUnauthorized, "", "Another user name and password are needed").write(w)
			return
		}
		version := r.Header.Get("X-Broker-API-Version")
		minor, isTwo := strings.CutPrefix(version, "2.")
		if n, err := strconv.Atoi(minor); !isTwo || err != nil || n < 13 {
			refuse(http.StatusPreconditionFailed, "", "X-Broker-API-Version is %q: 2.13 to 2.17 are spoken here", version).write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (b *Broker) count(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests[what]++
}

func (b *Broker) serveCatalog(w http.ResponseWriter, r *http.Request) {
	b.count("catalog")
	text, err := json.Marshal(services)
	if err != nil {
		broken(err).write(w)
		return
	}
	sum := sha256.Sum256(text)
	tag := strconv.Quote(hex.EncodeToString(sum[:8]))
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	answer{status: http.StatusOK, body: json.RawMessage(text)}.write(w)
}

func (b *Broker) serve(w http.ResponseWriter, r *http.Request, what string, serve func(*call) answer) {
	b.count(what)
	c, err := read(w, r)
	if err != nil {
		badRequest(err).write(w)
		return
	}
	b.mu.Lock()
	a := serve(c)
	if b.options.Verbose {
		fmt.Fprintf(b.options.Out, "🐬 %s  asked     %s, answered %d\n", time.Now().Format(time.TimeOnly), what, a.status)
	}
	b.mu.Unlock()
	a.write(w)
}

func (a answer) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body) // who asked may be gone
}

// read returns what a request asks for.
func read(w http.ResponseWriter, r *http.Request) (*call, error) {
	query := r.URL.Query()
	c := &call{
		instanceID: r.PathValue("instance"), bindingID: r.PathValue("binding"),
		serviceID: query.Get("service_id"), planID: query.Get("plan_id"), operation: query.Get("operation"),
	}
	if accepts := query.Get("accepts_incomplete"); accepts != "" {
		var err error
		if c.acceptsIncomplete, err = strconv.ParseBool(accepts); err != nil {
			return nil, fmt.Errorf("accepts_incomplete is %q: true or false is wanted", accepts)
		}
	}
	if r.Method == http.MethodPut || r.Method == http.MethodPatch {
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&c.body); err != nil {
			return nil, fmt.Errorf("the body is not what it should be: %w", err)
		}
	}
	return c, c.check(r.Header.Get("X-Broker-API-Originating-Identity"))
}

// check finds what the protocol forbids in every request.
func (c *call) check(identity string) error {
	platform := ""
	if identity != "" {
		var encoded string
		platform, encoded, _ = strings.Cut(identity, " ")
		text, err := base64.StdEncoding.DecodeString(encoded)
		var who map[string]any
		if platform == "" || err != nil || json.Unmarshal(text, &who) != nil || who == nil {
			return errors.New("X-Broker-API-Originating-Identity is not a platform, a space and a JSON object in base64")
		}
	}
	if c.body.Context != nil {
		given, _ := c.body.Context["platform"].(string)
		if given == "" || platform != "" && given != platform {
			return fmt.Errorf("context.platform is %q, and X-Broker-API-Originating-Identity is of %q", given, platform)
		}
	}
	for name, value := range map[string]*string{"app_guid": c.body.AppGUID, "predecessor_binding_id": c.body.PredecessorBindingID} {
		if value != nil && *value == "" {
			return fmt.Errorf("%s is empty: leave it out", name)
		}
	}
	return nil
}

// same compares JSON objects; none is the same as an empty one.
func same(a, b map[string]any) bool { return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b) }

// state answers a request for the last operation on something that is there.
func (r *resource) state(c *call) answer {
	o := r.operation
	switch {
	case o == nil && c.operation == "" && r.ready:
		return answer{status: http.StatusOK, body: object{"state": succeeded}}
	case o == nil || c.operation != o.ID:
		return badRequest(fmt.Errorf("operation is %q, which is not what the last one is called", c.operation))
	}
	body := object{"state": o.State}
	if o.Description != "" {
		body["description"] = o.Description
	}
	a := answer{status: http.StatusOK, body: body}
	if o.State == inProgress {
		a.header = http.Header{"Retry-After": {"1"}}
	}
	return a
}

// absent answers a request for the last operation on something that is not there.
func (b *Broker) absent(key string) answer {
	if b.removed[key] {
		return gone()
	}
	return refuse(http.StatusNotFound, "", "There is no such thing, and there never was")
}
