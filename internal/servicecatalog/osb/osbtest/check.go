// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osbtest

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
)

var guid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (r *request) readIdentity() string {
	const name = "X-Broker-API-Originating-Identity"
	value := r.Header.Get(name)
	if value == "" {
		return ""
	}
	token, encoded, ok := strings.Cut(value, " ")
	text, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || token != "kubernetes" || err != nil {
		return name + ` must be "kubernetes", one space, and base64`
	}
	user := struct {
		Username *string              `json:"username"`
		UID      *string              `json:"uid"`
		Groups   *[]string            `json:"groups"`
		Extra    *map[string][]string `json:"extra"`
	}{}
	if json.Unmarshal(text, &user) != nil || user.Username == nil || user.UID == nil || user.Groups == nil || user.Extra == nil {
		return name + " must have username, uid, groups and extra"
	}
	r.Identity = &osb.Identity{Username: *user.Username, UID: *user.UID, Groups: *user.Groups, Extra: *user.Extra}
	return ""
}

func (r *request) checkRequestIdentity() string {
	if !guid.MatchString(r.Header.Get("X-Broker-API-Request-Identity")) {
		return "X-Broker-API-Request-Identity must be a GUID"
	}
	return ""
}

func (r *request) checkQuery() string {
	known := r.endpoint.query
	for name, values := range r.Query {
		_, ok := known[name]
		switch {
		case !ok:
			return name + " does not belong into the query"
		case len(values) != 1 || values[0] == "":
			return name + " must be in the query once and not be empty"
		case name == "accepts_incomplete" && values[0] != "true" && values[0] != "false":
			return "accepts_incomplete must be true or false"
		}
	}
	for name, required := range known {
		if required && !r.Query.Has(name) {
			return name + " is missing in the query"
		}
	}
	if r.InstanceID == "" && r.Operation != osb.GetCatalog {
		return "the instance id is empty"
	}
	return ""
}

// missing names the first member without a value.
func missing(members map[string]string) string {
	names := []string{}
	for name, value := range members {
		if value == "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return strings.Join(names, ", ") + " must not be empty"
}

func (r *request) checkProvision() string {
	b := r.body
	if problem := missing(map[string]string{
		"service_id": b.ServiceID, "plan_id": b.PlanID, "organization_guid": b.OrganizationGUID, "space_guid": b.SpaceGUID,
	}); problem != "" {
		return problem
	}
	return r.checkContext("namespace", "clusterid", "instance_name")
}

func (r *request) checkUpdate() string {
	if problem := missing(map[string]string{"service_id": r.body.ServiceID}); problem != "" {
		return problem
	}
	if r.body.Context == nil {
		return ""
	}
	return r.checkContext("namespace", "clusterid", "instance_name")
}

func (r *request) checkBind() string {
	b := r.body
	if problem := missing(map[string]string{"service_id": b.ServiceID, "plan_id": b.PlanID, "binding_id": r.BindingID}); problem != "" {
		return problem
	}
	if b.AppGUID != nil && *b.AppGUID == "" || b.BindResource != nil && b.BindResource.AppGUID != nil && *b.BindResource.AppGUID == "" {
		return "app_guid must not be empty where it is given"
	}
	if b.PredecessorID != "" && len(b.Parameters) > 0 {
		return "a rotation has no parameters"
	}
	return r.checkContext("namespace", "clusterid")
}

// checkContext checks the rules of the Kubernetes profile about a context.
func (r *request) checkContext(required ...string) string {
	if r.body.Context["platform"] != "kubernetes" {
		return `context.platform must be "kubernetes"`
	}
	for _, name := range required {
		if value, ok := r.body.Context[name].(string); !ok || value == "" {
			return "context." + name + " must not be empty"
		}
	}
	return ""
}
