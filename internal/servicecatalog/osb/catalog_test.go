// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

func TestCatalogIsReadWhole(t *testing.T) {
	catalog := parseCatalog(t, `{"services":[{
		"id":"s1","name":"Data Base","description":"one\ntwo","tags":["sql"],"requires":["syslog_drain"],"bindable":true,
		"instances_retrievable":true,"bindings_retrievable":true,"allow_context_updates":true,"plan_updateable":true,
		"metadata":{"cost":1.50},"dashboard_client":{"id":"d","secret":"s","redirect_uri":"u"},
		"plans":[{"id":"p1","name":"small","description":"S","free":false,"bindable":false,"plan_updateable":true,"binding_rotatable":true,
			"maximum_polling_duration":90,"maintenance_info":{"version":"2.1.1+a","description":"short"},"metadata":{"bullets":[]},
			"schemas":{"service_instance":{"create":{"parameters":{"a":1}},"update":{"parameters":{"b":1}}},"service_binding":{"create":{"parameters":{"c":1}}}}}]
	}]}`)
	want(t, "problems", fmt.Sprint(catalog.Problems), "[]")
	s := catalog.Services[0]
	want(t, "the service", fmt.Sprintf("%s %s %q %v %v %t %t %t %t %t %s", s.ID, s.Name, s.Description, s.Tags, s.Requires, s.Bindable,
		s.InstancesRetrievable, s.BindingsRetrievable, s.AllowContextUpdates, s.PlanUpdateable, s.Metadata),
		`s1 Data Base "one\ntwo" [sql] [syslog_drain] true true true true true {"cost":1.50}`)
	p := s.Plans[0]
	want(t, "the plan", fmt.Sprintf("%s %s %s %t %t %t %t %s %v %s %s %s %s", p.ID, p.Name, p.Description, p.Free, *p.Bindable, *p.PlanUpdateable,
		p.BindingRotatable, p.MaximumPollingDuration, *p.MaintenanceInfo, p.Metadata, p.CreateInstance, p.UpdateInstance, p.CreateBinding),
		`p1 small S false false true true 1m30s {2.1.1+a short} {"bullets":[]} {"a":1} {"b":1} {"c":1}`)
}

func TestCatalogDefaults(t *testing.T) {
	s := parseCatalog(t, `{"services":[{"id":"s","name":"s","description":null,"tags":null,"plans":[{"id":"p","name":"p","schemas":null,"maintenance_info":null}]}]}`).Services[0]
	if p := s.Plans[0]; s.Bindable || s.PlanUpdateable || s.InstancesRetrievable || s.BindingsRetrievable || s.AllowContextUpdates || s.Metadata != nil ||
		p.Bindable != nil || p.PlanUpdateable != nil || p.MaintenanceInfo != nil || p.MaximumPollingDuration != 0 || p.CreateInstance != nil {
		t.Errorf("got %+v", s)
	}
}

// What is wrong with one service costs that one alone; with one plan, that plan.
func TestCatalogProblems(t *testing.T) {
	service := func(id, more string) string {
		return `{"id":"` + id + `","name":"n` + id + `"` + more + `,"plans":[{"id":"p` + id + `","name":"p"}]}`
	}
	nested := func(levels int) string { return strings.Repeat(`{"a":`, levels) + `1` + strings.Repeat("}", levels) }
	withPlans := func(plans string) string { return `{"id":"2","name":"n2","plans":[` + plans + `]}` }
	goodPlan := `{"id":"ok","name":"ok"}`
	for _, test := range []struct {
		why, second string
		left        bool // the second service is left out
		problem     string
	}{
		{"nothing", service("2", ""), false, ""},
		{"no id", `{"name":"x","plans":[` + goodPlan + `]}`, true, `services[1] ("x") is left out: id and name must not be empty`},
		{"no name", `{"id":"x","plans":[` + goodPlan + `]}`, true, `services[1] is left out: id and name must not be empty`},
		{"no plans", `{"id":"2","name":"x"}`, true, `services[1] ("x") is left out: it has no plan that can be used`},
		{"an empty list of plans", `{"id":"2","name":"x","plans":[]}`, true, `services[1] ("x") is left out: it has no plan`},
		{"the id of another", `{"id":"1","name":"x","plans":[` + goodPlan + `]}`, true, `services[1] ("x") is left out: its id "1" is that of another service`},
		{"the name of another", `{"id":"2","name":"n1","plans":[` + goodPlan + `]}`, true, `services[1] ("n1") is left out: its name is that of another service`},
		{"a name of another type", `{"id":"2","name":["x"],"plans":[` + goodPlan + `]}`, true, `services[1] is left out: services[1].name must be a string, not an array`},
		{"a flag of another type", service("2", `,"bindable":"yes"`), true, `services[1] ("n2") is left out: services[1].bindable must be true or false, not a string`},
		{"tags of another type", service("2", `,"tags":["a",1]`), true, `services[1].tags[1] must be a string, not a number`},
		{"plans of another type", `{"id":"2","name":"x","plans":{}}`, true, `services[1].plans must be an array, not an object`},
		{"no object", `7`, true, `services[1] is left out: it must be an object, not a number`},
		{"nothing at all", `null`, true, `services[1] is left out: it must be an object, not null`},
		{"metadata as deep as can be", service("2", `,"metadata":`+nested(64)), false, ``},
		{"metadata too deep", service("2", `,"metadata":`+nested(65)), false, `services[1] ("n2").metadata is left out: it is nested deeper than 64 levels`},
		{"deep what nobody reads", service("2", `,"x":`+nested(65)), false, ``},
		{"deep what must not be deep", service("2", `,"tags":`+nested(65)), true, `services[1] ("n2") is left out: services[1].tags must be an array, not an object`},
		{"a plan's metadata too deep", withPlans(`{"id":"ok","name":"ok","metadata":` + nested(65) + `}`), false, `services[1] ("n2").plans[0] ("ok").metadata is left out: it is nested deeper than 64 levels`},
		{"a schema too deep", withPlans(`{"id":"ok","name":"ok","schemas":{"service_binding":{"create":{"parameters":` + nested(65) + `}}}}`), false, `plans[0] ("ok").schemas.service_binding.create.parameters is left out: it is nested deeper than 64 levels`},
		{"what nobody knows is required", service("2", `,"requires":["moon","volume_mount"]`), false, `services[1] ("n2") requires "moon", which is not known`},
		{"a plan without id", withPlans(goodPlan + `,{"name":"x"}`), false, `services[1] ("n2").plans[1] ("x") is left out: id and name must not be empty`},
		{"a plan of another type", withPlans(goodPlan + `,"x"`), false, `services[1] ("n2").plans[1] is left out: it must be an object, not a string`},
		{"a plan's flag of another type", withPlans(goodPlan + `,{"id":"x","name":"x","free":1}`), false, `("x") is left out: services[1] ("n2").plans[1].free must be true or false, not a number`},
		{"the plan id of another", withPlans(goodPlan + `,{"id":"ok","name":"x"}`), false, `("x") is left out: its id "ok" is that of another plan`},
		{"the plan id of another service", withPlans(goodPlan + `,{"id":"p1","name":"x"}`), false, `("x") is left out: its id "p1" is that of another plan`},
		{"the plan name of another", withPlans(goodPlan + `,{"id":"x","name":"ok"}`), false, `("ok") is left out: its name is that of another plan of the service`},
		{"only plans that cannot be used", withPlans(`{"id":"p1","name":"x"}`), true, `is left out: its id "p1"`},
		{"a limit that is no number", withPlans(goodPlan + `,{"id":"x","name":"x","maximum_polling_duration":"60"}`), false, `plans[1].maximum_polling_duration must be a whole number of seconds`},
		{"a limit below zero", withPlans(goodPlan + `,{"id":"x","name":"x","maximum_polling_duration":-1}`), false, `must be a whole number of seconds`},
		{"maintenance without version", withPlans(`{"id":"ok","name":"ok","maintenance_info":{}}`), false, `has a maintenance_info without version, which is left out`},
		{"a version that is none", withPlans(`{"id":"ok","name":"ok","maintenance_info":{"version":"v1"}}`), false, `has a maintenance_info whose version "v1" is not a semantic one`},
		{"a schema of another type", withPlans(`{"id":"ok","name":"ok","schemas":{"service_instance":{"create":{"parameters":7}}}}`), false, `plans[0] ("ok").schemas.service_instance.create.parameters must be an object, not a number, the schema is left out`},
		{"schemas of another type", withPlans(`{"id":"ok","name":"ok","schemas":[]}`), false, `schemas must be an object, not an array, the schema is left out`},
	} {
		catalog := parseCatalog(t, `{"services":[`+service("1", "")+`,`+test.second+`,`+service("3", "")+`]}`)
		ids := []string{}
		for _, s := range catalog.Services {
			ids = append(ids, s.ID)
		}
		kept := []string{"1", "2", "3"}
		if test.left {
			kept = []string{"1", "3"}
		}
		want(t, test.why+", services", fmt.Sprint(ids), fmt.Sprint(kept))
		if test.left && strings.HasPrefix(test.second, `{"id":"2"`) {
			want(t, test.why+", it is known to be left out", slices.Contains(catalog.LeftOut, "2"), true)
		}
		told := slices.ContainsFunc(catalog.Problems, func(p string) bool { return test.problem != "" && strings.Contains(p, test.problem) })
		if told != (test.problem != "") || test.problem == "" && len(catalog.Problems) > 0 {
			t.Errorf("%s: got the problems %q", test.why, catalog.Problems)
		}
		if !test.left && !slices.ContainsFunc(catalog.Services[1].Plans, func(p osbresult.Plan) bool { return p.ID == "ok" || p.ID == "p2" }) {
			t.Errorf("%s: got the plans %+v", test.why, catalog.Services[1].Plans)
		}
	}
}

// An encoding that is wrong somewhere spoils that text alone.
func TestCatalogInOtherEncoding(t *testing.T) {
	catalog := parseCatalog(t, "{\"services\":[{\"id\":\"s\",\"name\":\"s\",\"description\":\"f\xfcr\",\"plans\":[{\"id\":\"p\",\"name\":\"p\"}]}]}")
	want(t, "the text", catalog.Services[0].Description, "f�r")
}

func TestCatalogWithManyProblems(t *testing.T) {
	catalog := parseCatalog(t, `{"services":[`+strings.Repeat(`{"name":"`+strings.Repeat("x", 1000)+`"},`, 199)+`{}]}`)
	want(t, "problems", len(catalog.Problems), maxProblems+1)
	want(t, "the last", catalog.Problems[maxProblems], "100 more")
	for _, problem := range catalog.Problems {
		if len(problem) > maxProblem {
			t.Errorf("got %q", problem)
		}
	}
}

// F-S7: a catalog is bounded, and what is said of one beyond has the limit and the value.
func TestCatalogIsTooLarge(t *testing.T) {
	namespaced := CatalogLimits{Bytes: 1 << 20, Entries: 500, Otherwise: "a ClusterServiceBroker may have more"}
	many := func(n int) string { return `{"services":[` + strings.Repeat(`{},`, n) + `{}]}` }
	plans := func(n int) string {
		return `{"services":[{"id":"s","name":"s","plans":[` + strings.Repeat(`{},`, n) + `{}]}]}`
	}
	long := func(n int) string { return `{"services":[],"x":"` + strings.Repeat("x", n) + `"}` }
	for _, test := range []struct {
		why    string
		limits CatalogLimits
		body   string
		want   string
	}{
		{"services", CatalogLimits{}, many(50_000), "it has 50001 services and plans, and 50000 are the limit"},
		{"plans", CatalogLimits{}, plans(50_000), "it has 50002 services and plans, and 50000 are the limit"},
		{"bytes", CatalogLimits{}, long(16 << 20), "bytes, and 16777216 are the limit"},
		{"services, in a namespace", namespaced, many(700), "it has 701 services and plans, and 500 are the limit; a ClusterServiceBroker may have more"},
		{"plans, in a namespace", namespaced, plans(700), "it has 702 services and plans, and 500 are the limit; a ClusterServiceBroker may have more"},
		{"bytes, in a namespace", namespaced, long(1 << 20), "bytes, and 1048576 are the limit; a ClusterServiceBroker may have more"},
	} {
		s := newScript(t, status(200, test.body))
		client := newClient(t, s.URL, func(o *Options) { o.Catalog = test.limits })
		catalog, out := client.Catalog(t.Context(), "")
		want(t, test.why, out.Class, osbresult.Malformed)
		want(t, test.why+", there is one", catalog != nil, false)
		if !strings.Contains(out.Description, test.want) {
			t.Errorf("%s: got %q", test.why, out.Description)
		}
	}
}

// F-S7: however many catalogs arrive at once, only as many bytes as the largest has are decoded at a time; then the others follow.
func TestCatalogsAreDecodedWithBoundedMemory(t *testing.T) {
	if err := decoding.Acquire(t.Context(), decodedBytes); err != nil {
		t.Fatal(err)
	}
	s := newScript(t, status(200, `{"services":[]}`))
	read := make(chan osbresult.Outcome, 1)
	go func() {
		_, out := newClient(t, s.URL).Catalog(t.Context(), "")
		read <- out
	}()
	select {
	case out := <-read:
		t.Errorf("decoded without a share of the memory: %+v", out)
	case <-time.After(50 * time.Millisecond):
	}
	decoding.Release(decodedBytes)
	want(t, "then", (<-read).Class, osbresult.Done)
}

func TestMaximumPollingDuration(t *testing.T) {
	for said, limit := range map[string]time.Duration{"0": 0, "null": 0, "60": time.Minute, "99999999999": 9223372036 * time.Second} {
		catalog := parseCatalog(t, `{"services":[{"id":"s","name":"s","plans":[{"id":"p","name":"p","maximum_polling_duration":`+said+`}]}]}`)
		want(t, said, catalog.Services[0].Plans[0].MaximumPollingDuration, limit)
	}
}

// A broker that refuses our version is asked with the others, newest first.
func TestVersions(t *testing.T) {
	for _, test := range []struct {
		why, begin, etag, asked, settled string
		takes                            []string
		class                            osbresult.Class
	}{
		{"the newest", "", "", "2.17", "2.17", versions, osbresult.Done},
		{"older ones", "", "", "2.17 2.16 2.15", "2.15", []string{"2.15", "2.14"}, osbresult.Done},
		{"the oldest", "", "", "2.17 2.16 2.15 2.14 2.13", "2.13", []string{"2.13"}, osbresult.Done},
		{"none", "", "", "2.17 2.16 2.15 2.14 2.13", "2.17", nil, osbresult.Misconfigured},
		{"the one that is known, while it is only to be seen whether the catalog is the same", "2.14", "etag", "2.14", "2.14", versions, osbresult.Done},
		{"another than the one that was known", "2.14", "etag", "2.14 2.17 2.16", "2.16", []string{"2.16", "2.13"}, osbresult.Done},
		{"a newer one than was known", "2.14", "", "2.17", "2.17", versions, osbresult.Done},
		{"a little newer one than was known", "2.14", "", "2.17 2.16 2.15", "2.15", []string{"2.15", "2.14"}, osbresult.Done},
		{"none, not even the one that was known", "2.14", "", "2.17 2.16 2.15 2.14 2.13", "2.14", nil, osbresult.Misconfigured},
		{"one that we do not know begins with the newest", "3.0", "etag", "2.17", "2.17", versions, osbresult.Done},
	} {
		var asked []string
		s := newScript(t, func(w http.ResponseWriter, r *http.Request) {
			version := r.Header.Get("X-Broker-API-Version")
			asked = append(asked, version)
			if !slices.Contains(test.takes, version) {
				status(412, `{"description":"other versions, please"}`)(w, r)
				return
			}
			status(200, good)(w, r)
		})
		c := newClient(t, s.URL, func(o *Options) { o.Version = test.begin })
		_, out := c.Catalog(t.Context(), test.etag)
		want(t, test.why, out.Class, test.class)
		want(t, test.why+", asked", strings.Join(asked, " "), test.asked)
		want(t, test.why+", in use", c.Version(), test.settled)
		if out.Class == osbresult.Misconfigured {
			want(t, test.why, out.Description, "the broker refuses version 2.17 of the API: other versions, please; it refuses the others from 2.17 to 2.13, too")
		}
		asked = nil
		c.Poll(t.Context(), pollRequest(""))
		want(t, test.why+", afterwards", strings.Join(asked, " "), test.settled)
	}
}

// What is not a refusal of the version says nothing about it.
func TestVersionIsNotSettledByAFailure(t *testing.T) {
	s := newScript(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Broker-API-Version") == "2.17" {
			status(412, ``)(w, r)
			return
		}
		status(503, ``)(w, r)
	})
	c := newClient(t, s.URL)
	_, out := c.Catalog(t.Context(), "")
	want(t, "it is", out.Class, osbresult.Retry)
	want(t, "requests", len(s.take()), 2)
	want(t, "in use", c.Version(), "2.17")
}

func TestETag(t *testing.T) {
	s := newScript(t, nil)
	c := newClient(t, s.URL)
	for tag, kept := range map[string]string{`"a b"`: `"a b"`, "": "", `"` + strings.Repeat("x", 2000) + `"`: "", "\"\x80\"": ""} {
		s.answers(status(200, good, "ETag", tag))
		catalog, _ := c.Catalog(t.Context(), "")
		want(t, "it is kept", catalog.ETag, kept)
	}
	s.take()
	c.Catalog(t.Context(), "a\r\nX: y") // a status that somebody has edited
	want(t, "it is sent", len(s.one(t).Header.Values("If-None-Match")), 0)
}
