// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/outbound/jsonparts"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

const (
	maxSchema   = 64 << 10
	maxETag     = 1024
	maxProblems = 100
	maxProblem  = 512
)

// Catalog reads the catalog, unless it has the given ETag: then the catalog is nil, and the outcome Done.
// If the broker refuses the version of the API, the others are tried, newest first. The first that the broker accepts is used until
// the catalog is read as a whole again.
func (c *Client) Catalog(ctx context.Context, etag string) (*osbresult.Catalog, osbresult.Outcome) {
	start, tried := c.now(), c.Version()
	e := &exchange{operation: GetCatalog}
	if isETag(etag) {
		e.etag = etag
	}
	if etag == "" {
		tried = versions[0]
	}
	catalog, out := c.catalogAs(ctx, e, tried)
	if out.Class == osbresult.Done {
		c.version.Store(tried)
	}
	for _, version := range versions {
		if out.Status != http.StatusPreconditionFailed {
			break
		}
		if version == tried {
			continue
		}
		var next osbresult.Outcome
		if catalog, next = c.catalogAs(ctx, e, version); next.Status != http.StatusPreconditionFailed {
			out = next
		}
		if next.Class == osbresult.Done {
			c.version.Store(version)
		}
	}
	if out.Status == http.StatusPreconditionFailed {
		out.Description += "; it refuses the others from " + versions[0] + " to " + versions[len(versions)-1] + ", too"
	}
	c.observe(ctx, Observation{GetCatalog, out, start, c.now().Sub(start), e.id})
	return catalog, out
}

// catalogAs reads the catalog in one version of the API.
func (c *Client) catalogAs(ctx context.Context, e *exchange, version string) (*osbresult.Catalog, osbresult.Outcome) {
	var catalog *osbresult.Catalog
	e.version = version
	e.read = func(a answer) (err error) {
		if a.status == http.StatusNotModified {
			return nil
		}
		catalog, err = c.decodeCatalog(ctx, a)
		return err
	}
	e.tooLong = c.limits.tooLong
	out := c.ask(ctx, e)
	if out.Class != osbresult.Done {
		catalog = nil
	}
	return catalog, out
}

// isETag reports whether a text can be in a header.
func isETag(s string) bool {
	return s != "" && len(s) <= maxETag && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func readCatalog(a answer, limits CatalogLimits) (*osbresult.Catalog, error) {
	// A value that is nested too deeply, or has an invalid encoding, invalidates itself only.
	body := a.body
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\ufffd"))
	}
	o := readNested(body, math.MaxInt)
	if o.err() != nil {
		return nil, o.err()
	}
	if kindOf(o.members["services"]) != "an array" {
		return nil, errors.New("services must be an array")
	}
	r := catalogReader{
		catalog:  &osbresult.Catalog{ETag: a.header.Get("ETag")},
		words:    a.words,
		limits:   limits,
		services: map[string]bool{}, names: map[string]bool{}, plans: map[string]bool{}, planNames: map[string]bool{},
	}
	if !isETag(r.catalog.ETag) {
		r.catalog.ETag = ""
	}
	return r.catalog, r.read(o)
}

// catalogReader reads the usable entries of a catalog.
type catalogReader struct {
	catalog                *osbresult.Catalog
	words                  *cleaner
	limits                 CatalogLimits
	services, names, plans map[string]bool // ids and names seen so far
	planNames              map[string]bool // the names of plans of the service that is read
	offered, left          int             // entries read; problems that are not reported
}

func (r *catalogReader) read(o *object) error {
	for i, text := range o.elements("services") {
		if r.offered++; r.offered > r.limits.Entries {
			r.offered += plansIn(text) // the catalog as a whole is refused
			continue
		}
		r.service(fmt.Sprintf("services[%d]", i), text)
	}
	if r.offered > r.limits.Entries {
		return r.limits.tooMany(r.offered)
	}
	if r.left > 0 {
		r.catalog.Problems = append(r.catalog.Problems, fmt.Sprintf("%d more", r.left))
	}
	return nil
}

// plansIn counts the plans of a service that is not read.
func plansIn(service []byte) (n int) {
	isName, ofPlans := false, false
	for part := range jsonparts.Of(service) {
		if isName = !isName; isName {
			ofPlans = string(part) == `"plans"`
			continue
		}
		if ofPlans && kindOf(part) == "an array" {
			for range jsonparts.Of(part) {
				n++
			}
		}
	}
	return n
}

// note records a problem.
func (r *catalogReader) note(format string, args ...any) {
	if len(r.catalog.Problems) == maxProblems {
		r.left++
		return
	}
	r.catalog.Problems = append(r.catalog.Problems, r.words.clean(fmt.Sprintf(format, args...), maxProblem))
}

// leaveOut records the id of a service or plan that was left out.
func (r *catalogReader) leaveOut(taken bool, id string) {
	if !taken && id != "" {
		r.catalog.LeftOut = append(r.catalog.LeftOut, id)
	}
}

// entry reads a service or plan, or records why it cannot.
func (r *catalogReader) entry(path string, text []byte) *object {
	if kindOf(text) != "an object" {
		r.note("%s is left out: it must be an object, not %s", path, kindOf(text))
		return nil
	}
	o := &object{path: path, problem: new(error)}
	o.open(text)
	return o
}

// shallow returns a copy of a part of the catalog, unless it is nested too deeply.
func (r *catalogReader) shallow(path string, text json.RawMessage) json.RawMessage {
	if depth(text) > maxDepth {
		r.note("%s is left out: it is nested deeper than %d levels", path, maxDepth)
		return nil
	}
	return bytes.Clone(text)
}

// requirable are the permissions that a service can require.
var requirable = []string{"syslog_drain", "route_forwarding", "volume_mount"}

func (r *catalogReader) service(path string, text []byte) {
	o := r.entry(path, text)
	if o == nil {
		return
	}
	s := osbresult.Service{
		ID: o.text("id"), Name: o.text("name"), Description: o.text("description"),
		Tags: o.texts("tags"), Requires: o.texts("requires"), Bindable: o.isSet("bindable"),
		InstancesRetrievable: o.isSet("instances_retrievable"), BindingsRetrievable: o.isSet("bindings_retrievable"),
		AllowContextUpdates: o.isSet("allow_context_updates"), PlanUpdateable: o.isSet("plan_updateable"),
		Metadata: o.part("metadata"),
	}
	plans := o.elements("plans")
	path = described(path, s.Name)
	taken := false
	defer func() { r.leaveOut(taken, s.ID) }()
	switch {
	case o.err() != nil:
		r.note("%s is left out: %s", path, o.err())
		return
	case s.ID == "" || s.Name == "":
		r.note("%s is left out: id and name must not be empty", path)
		return
	case r.services[s.ID]:
		r.note("%s is left out: its id %q is that of another service", path, s.ID)
		return
	case r.names[s.Name]:
		r.note("%s is left out: its name is that of another service", path)
		return
	}
	clear(r.planNames)
	for i, text := range plans {
		if r.offered++; r.offered > r.limits.Entries {
			continue // the catalog as a whole is refused
		}
		r.plan(&s, fmt.Sprintf("%s.plans[%d]", path, i), text)
	}
	if len(s.Plans) == 0 {
		r.note("%s is left out: it has no plan that can be used", path)
		return
	}
	for _, required := range s.Requires {
		if !slices.Contains(requirable, required) {
			r.note("%s requires %q, which is not known", path, required)
		}
	}
	taken = true
	s.Metadata = r.shallow(path+".metadata", s.Metadata)
	r.services[s.ID], r.names[s.Name] = true, true
	r.catalog.Services = append(r.catalog.Services, s)
}

// described returns a path with the name of an entry.
func described(path, name string) string {
	if name == "" {
		return path
	}
	return fmt.Sprintf("%s (%.64q)", path, name)
}

func (r *catalogReader) plan(s *osbresult.Service, path string, text []byte) {
	o := r.entry(path, text)
	if o == nil {
		return
	}
	free := o.flag("free")
	p := osbresult.Plan{
		ID: o.text("id"), Name: o.text("name"), Description: o.text("description"),
		Free: free == nil || *free, Bindable: o.flag("bindable"), PlanUpdateable: o.flag("plan_updateable"),
		BindingRotatable: o.isSet("binding_rotatable"), MaximumPollingDuration: o.seconds("maximum_polling_duration"),
		Metadata: o.part("metadata"),
	}
	if info := o.object("maintenance_info"); info.members != nil {
		p.MaintenanceInfo = &osbresult.MaintenanceInfo{Version: info.text("version"), Description: info.text("description")}
	}
	path = described(path, p.Name)
	taken := false
	defer func() { r.leaveOut(taken, p.ID) }()
	switch {
	case o.err() != nil:
		r.note("%s is left out: %s", path, o.err())
		return
	case p.ID == "" || p.Name == "":
		r.note("%s is left out: id and name must not be empty", path)
		return
	case r.plans[p.ID]:
		r.note("%s is left out: its id %q is that of another plan", path, p.ID)
		return
	case r.planNames[p.Name]:
		r.note("%s is left out: its name is that of another plan of the service", path)
		return
	case p.MaintenanceInfo != nil && p.MaintenanceInfo.Version == "":
		r.note("%s has a maintenance_info without version, which is left out", path)
		p.MaintenanceInfo = nil
	case p.MaintenanceInfo != nil && !semVer.MatchString(p.MaintenanceInfo.Version):
		r.note("%s has a maintenance_info whose version %q is not a semantic one", path, p.MaintenanceInfo.Version)
	}
	taken = true
	p.Metadata = r.shallow(path+".metadata", p.Metadata)
	r.schemas(&p, path, o)
	r.plans[p.ID], r.planNames[p.Name] = true, true
	s.Plans = append(s.Plans, p)
}

// semVer is version 2.0.0 of it.
var semVer = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(-((0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$`)

// schemas reads the valid schemas. An invalid one does not invalidate the plan.
func (r *catalogReader) schemas(p *osbresult.Plan, path string, plan *object) {
	for _, schema := range []struct {
		of, when string
		to       *json.RawMessage
	}{
		{"service_instance", "create", &p.CreateInstance},
		{"service_instance", "update", &p.UpdateInstance},
		{"service_binding", "create", &p.CreateBinding},
	} {
		at := &object{path: path, members: plan.members, problem: new(error)}
		text := at.object("schemas").object(schema.of).object(schema.when).part("parameters")
		member := fmt.Sprintf("%s.schemas.%s.%s.parameters", path, schema.of, schema.when)
		switch {
		case at.err() != nil:
			r.note("%s, the schema is left out", at.err())
		case len(text) > maxSchema:
			r.note("%s is left out: it has %d bytes, and %d are the limit", member, len(text), maxSchema)
		default:
			*schema.to = r.shallow(member, text)
		}
	}
}
