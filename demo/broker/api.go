// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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

// A request is what a platform asks for.
type request struct {
	instanceID, bindingID string
	// query parameters
	acceptsIncomplete            bool
	serviceID, planID, operation string

	body requestBody
}

// requestBody has the fields of all requests.
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

// A response is the answer to a request.
type response struct {
	status int
	body   any
	header http.Header
}

type object map[string]any

// error codes of Open Service Broker
const (
	asyncRequired           = "AsyncRequired"
	concurrencyError        = "ConcurrencyError"
	maintenanceInfoConflict = "MaintenanceInfoConflict"
)

func errorResponse(status int, code, format string, args ...any) response {
	body := object{"description": fmt.Sprintf(format, args...)}
	if code != "" {
		body["error"] = code
	}
	return response{status: status, body: body}
}

func badRequestResponse(err error) response {
	return errorResponse(http.StatusBadRequest, "", "%s", err)
}

func asyncRequiredResponse() response {
	return errorResponse(http.StatusUnprocessableEntity, asyncRequired, "This service is asynchronous: send accepts_incomplete=true")
}

func concurrencyResponse(o *operation) response {
	return errorResponse(http.StatusUnprocessableEntity, concurrencyError, "Another operation is in progress: %s", o.verb)
}

func acceptedResponse(o *operation) response {
	return response{status: http.StatusAccepted, body: object{"operation": o.ID}}
}

func goneResponse() response { return response{status: http.StatusGone, body: object{}} }

func internalErrorResponse(err error) response {
	return errorResponse(http.StatusInternalServerError, "", "%s", err)
}

// Handler returns the broker's API.
func (b *Broker) Handler() http.Handler {
	const one, bound = "/v2/service_instances/{instance}", "/v2/service_instances/{instance}/service_bindings/{binding}"
	mux := http.NewServeMux()
	for pattern, h := range map[string]struct {
		what  string
		serve func(*request) response
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
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { b.serveOperation(w, r, h.what, h.serve) })
	}
	mux.HandleFunc("GET /v2/catalog", b.serveCatalog)
	return b.checkHeaders(mux)
}

// checkHeaders refuses requests with wrong credentials or an unsupported API version.
func (b *Broker) checkHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Broker-API-Request-Identity"); id != "" {
			w.Header().Set("X-Broker-API-Request-Identity", id)
		}
		if username, password, _ := r.BasicAuth(); !constantTimeEqual(username, b.options.Username) || !constantTimeEqual(password, b.options.Password) {
			b.countRequest("refused")
			w.Header().Set("WWW-Authenticate", `Basic realm="broker"`)
			errorResponse(http.StatusUnauthorized, "", "Authentication failed").write(w)
			return
		}
		version := r.Header.Get("X-Broker-API-Version")
		minor, isTwo := strings.CutPrefix(version, "2.")
		if n, err := strconv.Atoi(minor); !isTwo || err != nil || n < 13 {
			errorResponse(http.StatusPreconditionFailed, "", "X-Broker-API-Version is %q: this broker supports 2.13 to 2.17", version).write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func constantTimeEqual(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (b *Broker) countRequest(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests[what]++
}

func (b *Broker) serveCatalog(w http.ResponseWriter, r *http.Request) {
	b.countRequest("catalog")
	text, err := json.Marshal(services)
	if err != nil {
		internalErrorResponse(err).write(w)
		return
	}
	sum := sha256.Sum256(text)
	tag := strconv.Quote(hex.EncodeToString(sum[:8]))
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	response{status: http.StatusOK, body: json.RawMessage(text)}.write(w)
}

func (b *Broker) serveOperation(w http.ResponseWriter, r *http.Request, what string, serve func(*request) response) {
	b.countRequest(what)
	c, err := parseRequest(w, r)
	if err != nil {
		badRequestResponse(err).write(w)
		return
	}
	b.mu.Lock()
	a := serve(c)
	if b.options.Verbose {
		fmt.Fprintf(b.options.Out, "🐬 %s  asked          %s, answered %d\n", time.Now().Format(time.TimeOnly), what, a.status)
	}
	b.mu.Unlock()
	a.write(w)
}

func (r response) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.header)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(r.body) // the client may have disconnected
}

// parseRequest parses a request, and refuses what no request may have.
func parseRequest(w http.ResponseWriter, r *http.Request) (*request, error) {
	query := r.URL.Query()
	c := &request{
		instanceID: r.PathValue("instance"), bindingID: r.PathValue("binding"),
		serviceID: query.Get("service_id"), planID: query.Get("plan_id"), operation: query.Get("operation"),
	}
	if accepts := query.Get("accepts_incomplete"); accepts != "" {
		var err error
		if c.acceptsIncomplete, err = strconv.ParseBool(accepts); err != nil {
			return nil, fmt.Errorf("accepts_incomplete is %q: it must be true or false", accepts)
		}
	}
	if r.Method == http.MethodPut || r.Method == http.MethodPatch {
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&c.body); err != nil {
			return nil, fmt.Errorf("the body is malformed: %w", err)
		}
	}
	return c, c.validate(r.Header.Get("X-Broker-API-Originating-Identity"))
}

// validate refuses what Open Service Broker forbids in every request.
func (r *request) validate(identity string) error {
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
	if r.body.Context != nil {
		given, _ := r.body.Context["platform"].(string)
		if given == "" || platform != "" && given != platform {
			return fmt.Errorf("context.platform is %q, and X-Broker-API-Originating-Identity is of %q", given, platform)
		}
	}
	for name, value := range map[string]*string{"app_guid": r.body.AppGUID, "predecessor_binding_id": r.body.PredecessorBindingID} {
		if value != nil && *value == "" {
			return fmt.Errorf("%s is empty: leave it out", name)
		}
	}
	return nil
}

// isSameObject compares JSON objects. A missing object equals an empty one.
func isSameObject(a, b map[string]any) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

// pollLastOperation answers a poll of an existing resource.
func (r *resource) pollLastOperation(c *request) response {
	o := r.operation
	switch {
	case o == nil && c.operation == "" && r.ready:
		return response{status: http.StatusOK, body: object{"state": succeeded}}
	case o == nil || c.operation != o.ID:
		return badRequestResponse(fmt.Errorf("operation is %q, which is not the last operation", c.operation))
	}
	body := object{"state": o.State}
	if o.Description != "" {
		body["description"] = o.Description
	}
	a := response{status: http.StatusOK, body: body}
	if o.State == inProgress {
		a.header = http.Header{"Retry-After": {"1"}}
	}
	return a
}

// pollAbsent answers a poll of a resource that does not exist.
func (b *Broker) pollAbsent(key string) response {
	if b.removed[key] {
		return goneResponse()
	}
	return errorResponse(http.StatusNotFound, "", "There is no resource with this id, and there never was")
}
