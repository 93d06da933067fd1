// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/outbound/redact"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

const (
	maxOperation = 10_000 // characters
	maxDashboard = 8 << 10
)

// orEmpty reads a body that brokers may omit.
func orEmpty(body []byte) []byte {
	if text := bytes.TrimSpace(body); len(text) == 0 || string(text) == "null" {
		return []byte("{}")
	}
	return body
}

// minLongSecret is the length of secrets that may not be in the name of an operation, in bytes. A shorter one may be there by
// chance, and would make asynchronous operations impossible.
const minLongSecret = 12

// operation reads the broker's name of an operation. It is stored in a status, and sent unchanged.
func (o *object) operation(words *cleaner) string {
	operation := o.text("operation")
	if operation == "" {
		return ""
	}
	if utf8.RuneCountInString(operation) > maxOperation {
		o.fail(fmt.Sprintf("operation must have at most %d characters", maxOperation))
	}
	long := slices.DeleteFunc(words.secrets(), func(secret string) bool { return len(secret) < minLongSecret })
	if redact.NewRedactor(long...).Finds(operation) {
		o.fail("operation must not repeat a secret: a credential, or a parameter that is from a Secret")
	}
	return operation
}

// dashboard reads the dashboard URL. One that cannot be shown is dropped.
func (o *object) dashboard(words *cleaner) string {
	address := o.text("dashboard_url")
	if address == "" || !words.mayShow(address, maxDashboard) {
		return ""
	}
	return address
}

// done refuses a body that contradicts the status: brokers that send 200 for 202 return no credentials or dashboard.
func (o *object) done() {
	if state := o.members["state"]; string(state) == strconv.Quote(string(osbresult.InProgress)) {
		o.fail("it says that the operation is in progress, for which the status must be 202")
	}
}

func readProvision(a answer) (ProvisionResponse, error) {
	body := a.body
	if a.status != http.StatusAccepted { // nothing is lost with it
		body = orEmpty(body)
	}
	o := readObject(body)
	response := ProvisionResponse{Created: a.status == http.StatusCreated, DashboardURL: o.dashboard(a.words)}
	if a.status == http.StatusAccepted {
		response.Operation = o.operation(a.words)
	} else {
		o.done()
	}
	return response, o.err()
}

func readUpdate(a answer) (UpdateResponse, error) {
	body := a.body
	if a.status != http.StatusAccepted {
		body = orEmpty(body)
	}
	o := readObject(body)
	response := UpdateResponse{DashboardURL: o.dashboard(a.words)}
	if a.status == http.StatusAccepted {
		response.Operation = o.operation(a.words)
	} else {
		o.done()
	}
	return response, o.err()
}

func readRemoval(a answer) (RemovalResponse, error) {
	if a.status != http.StatusAccepted {
		o := readObject(orEmpty(a.body))
		o.done()
		return RemovalResponse{}, o.err()
	}
	o := readObject(a.body)
	return RemovalResponse{Operation: o.operation(a.words)}, o.err()
}

func readInstance(a answer) (*osbresult.Instance, error) {
	o := readObject(a.body)
	o.done()
	instance := &osbresult.Instance{
		ServiceID: o.text("service_id"), PlanID: o.text("plan_id"), DashboardURL: o.dashboard(a.words),
		Parameters: o.raw("parameters"), MaintenanceVersion: o.object("maintenance_info").text("version"),
	}
	return instance, o.err()
}

func readBinding(a answer) (*osbresult.Binding, error) {
	o := readObject(a.body)
	if a.status == http.StatusAccepted { // credentials in it are not to be trusted
		return &osbresult.Binding{Operation: o.operation(a.words)}, o.err()
	}
	o.done()
	metadata := o.object("metadata")
	binding := &osbresult.Binding{
		Created:     a.status == http.StatusCreated,
		Credentials: o.raw("credentials"), Parameters: o.raw("parameters"),
		ExpiresAt: metadata.time("expires_at"), RenewBefore: metadata.time("renew_before"),
		SyslogDrainURL: o.text("syslog_drain_url"), RouteServiceURL: o.text("route_service_url"),
		Endpoints: o.endpoints(),
	}
	if len(o.list("volume_mounts")) > 0 {
		binding.VolumeMounts = bytes.Clone(o.members["volume_mounts"])
	}
	return binding, o.err()
}

func (o *object) endpoints() []osbresult.Endpoint {
	var endpoints []osbresult.Endpoint
	for i, value := range o.list("endpoints") {
		member := fmt.Sprintf("endpoints[%d]", i)
		if kindOf(value) != "an object" {
			o.want(member, "an object", value)
			return nil
		}
		child := o.nested(member, value)
		endpoint := osbresult.Endpoint{Host: child.text("host"), Ports: child.ports(), Protocol: child.text("protocol")}
		if endpoint.Protocol == "" {
			endpoint.Protocol = "tcp"
		}
		endpoints = append(endpoints, endpoint)
	}
	return endpoints
}

// ports reads ports and ranges. Some brokers write numbers.
func (o *object) ports() []string {
	var ports []string
	for i, value := range o.list("ports") {
		text := string(value)
		if kindOf(value) == "a string" {
			_ = json.Unmarshal(value, &text) // valid, as the whole is
		}
		first, last, isRange := strings.Cut(text, "-")
		if !isPort(first) || isRange && !isPort(last) {
			o.fail(fmt.Sprintf("%s[%d] must be a port or a range of ports such as 9000-9010", o.name("ports"), i))
			return nil
		}
		ports = append(ports, text)
	}
	return ports
}

func isPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return err == nil && port > 0
}

// lastOperation reads the answer to a poll.
type lastOperation struct {
	osbresult.LastOperation
	unusable, notRepeatable bool
}

func readLastOperation(a answer) (lastOperation, error) {
	o := readObject(a.body)
	last := lastOperation{LastOperation: osbresult.LastOperation{State: osbresult.State(o.text("state"))}}
	if last.State == osbresult.Failed || a.words.about == nil {
		last.Description = a.words.clean(o.text("description"), maxDescription)
	}
	last.unusable, last.notRepeatable = o.isFalse("instance_usable"), o.isFalse("update_repeatable")
	switch last.State {
	case osbresult.InProgress, osbresult.Succeeded, osbresult.Failed:
	default:
		o.fail(`state must be "in progress", "succeeded" or "failed"`)
	}
	return last, o.err()
}

// errorBody is the body of an error.
type errorBody struct {
	Code, Description       string
	Unusable, NotRepeatable bool
	// Documented: the body has the form that the protocol gives to errors.
	Documented bool
}

// readError reads the valid members of an error body.
func readError(body []byte) errorBody {
	o := readObject(bytes.ToValidUTF8(body, []byte("\ufffd")))
	isObject := o.err() == nil
	return errorBody{
		Code: o.text("error"), Description: o.text("description"),
		Unusable: o.isFalse("instance_usable"), NotRepeatable: o.isFalse("update_repeatable"),
		Documented: isObject && o.isErrorBody(),
	}
}

// isErrorBody reports whether an object has the form of an error of the protocol, in which every member is optional. An object with
// members but none of these is a proxy's.
func (o *object) isErrorBody() bool {
	for _, member := range []string{"error", "description", "instance_usable", "update_repeatable"} {
		if _, ok := o.members[member]; ok {
			return true
		}
	}
	return len(o.members) == 0
}

func readToken(body []byte) (token string, lifetime time.Duration, err error) {
	o := readObject(body)
	token = o.text("access_token")
	kind := o.text("token_type")
	if o.err() == nil {
		switch {
		case token == "" || !isVisible(token):
			o.fail("access_token must be a word")
		case kind != "" && !strings.EqualFold(kind, "bearer"):
			o.fail("token_type must be bearer")
		}
	}
	value, _ := o.get("expires_in")
	seconds, _ := strconv.ParseFloat(strings.Trim(string(value), `"`), 64) // some write it as a string; some not at all
	if seconds > 0 {
		lifetime = time.Duration(min(seconds, 1e9) * float64(time.Second))
	}
	return token, lifetime, o.err()
}
