// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// conformance has the statements of testdata/conformance.txt that the client alone can
// keep or break, each under its id.
var conformance = []struct {
	id   string
	test func(*testing.T)
}{
	{"T01", func(t *testing.T) {
		s := newScript(t, status(200, good))
		c := newClient(t, s.URL)
		for operation, call := range calls(nil, true) {
			call(t.Context(), c)
			want(t, string(operation), s.one(t).Header.Get("X-Broker-API-Version"), "2.17")
		}
	}},
	{"T02", func(t *testing.T) {
		s := newScript(t, status(200, good))
		c := newClient(t, s.URL, func(o *Options) { o.Auth = Auth{Username: "us3r", Password: "p4ss: wörd\n"} })
		for operation, call := range calls(nil, true) {
			call(t.Context(), c)
			want(t, string(operation), s.one(t).Header.Get("Authorization"), "Basic "+base64.StdEncoding.EncodeToString([]byte("us3r:p4ss: wörd")))
		}
	}},
	{"T03", otherAuthentication},
	{"T04", func(t *testing.T) {
		s := newScript(t, status(200, good))
		c := newClient(t, s.URL)
		for operation, call := range calls(nil, true) {
			call(t.Context(), c)
			r, mime := s.one(t), ""
			if r.Method != http.MethodGet && r.Method != http.MethodDelete {
				mime = "application/json"
			}
			want(t, string(operation)+" says of its body", r.Header.Get("Content-Type"), mime)
			want(t, string(operation)+" has a body", len(r.Body) > 0, mime != "")
		}
	}},
	{"T05", func(t *testing.T) {
		for _, mime := range []string{"", "text/plain", "application/json;charset=utf-8", "nonsense"} {
			s := newScript(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = nil // else the server guesses
				if mime != "" {
					w.Header().Set("Content-Type", mime)
				}
				_, _ = w.Write([]byte(good))
			})
			for operation, call := range calls(nil, true) {
				want(t, string(operation)+" answered as "+mime, call(t.Context(), newClient(t, s.URL)).Class, osbresult.Done)
			}
		}
	}},
	{"T06", func(t *testing.T) {
		const more = `"x":[{"x":null,"state":1}],"X-y":{"services":{}},"Operation":7,"":0,`
		plan := `{` + more + `"id":"p","name":"p","schemas":{` + more + `"service_instance":{` + more + `"create":{` + more + `"parameters":{}}}},"maintenance_info":{` + more + `"version":"1.0.0"}}`
		body := `{` + more + `"state":"succeeded","description":"d","services":[{` + more + `"id":"s","name":"s","bindable":true,"plans":[` + plan + `]}],` +
			`"credentials":{"k":"v"},"metadata":{` + more + `"expires_at":"2030-01-01T00:00:00Z"},"endpoints":[{` + more + `"host":"h","ports":["1"]}],"maintenance_info":{` + more + `"version":"1.0.0"}}`
		s := newScript(t, status(200, body))
		c := newClient(t, s.URL)
		for operation, call := range calls(nil, true) {
			out := call(t.Context(), c)
			want(t, string(operation)+" is read: "+out.Description, out.Class, osbresult.Done)
		}
		catalog, _ := c.Catalog(t.Context(), "")
		if len(catalog.Services) != 1 || len(catalog.Services[0].Plans) != 1 || len(catalog.Problems) > 0 {
			t.Errorf("got the catalog %+v", catalog)
		}
		s.answers(status(422, `{`+more+`"error":"ConcurrencyError"}`))
		_, out := c.Provision(t.Context(), provisionRequest())
		want(t, "an error is read", out.Class, osbresult.Concurrency)
	}},
	{"T07", func(t *testing.T) {
		ours := map[string]bool{}
		for _, name := range []string{
			"service_id", "plan_id", "organization_guid", "space_guid", "context", "parameters", "maintenance_info", "previous_values", "app_guid",
			"bind_resource", "predecessor_binding_id", "context.platform", "context.namespace", "context.clusterid", "context.instance_name",
			"maintenance_info.version", "previous_values.plan_id", "previous_values.maintenance_info", "bind_resource.app_guid",
		} {
			ours[name] = true
		}
		for _, r := range everyBody(t) {
			var body map[string]json.RawMessage
			if err := json.Unmarshal(r.Body, &body); err != nil {
				t.Fatal(err)
			}
			for name, value := range body {
				var inner map[string]json.RawMessage
				if name != "parameters" {
					_ = json.Unmarshal(value, &inner) // not all are objects
				}
				names := []string{name}
				for member := range inner {
					names = append(names, name+"."+member)
				}
				for _, name := range names {
					if !ours[name] {
						t.Errorf("%s %s has %s, which the protocol does not know", r.Method, r.URI, name)
					}
				}
			}
		}
	}},
	{"T08", func(t *testing.T) {
		const odd = "a/b?c#d%e;f g+h&i=ö:@,~._-"
		s := newScript(t, status(200, good))
		c := newClient(t, s.URL)
		p := Params{InstanceID: odd, ServiceID: odd, PlanID: odd}
		c.Deprovision(t.Context(), RemovalRequest{Params: p})
		r := s.one(t)
		const escaped = "a%2Fb%3Fc%23d%25e%3Bf%20g%2Bh%26i%3D%C3%B6%3A%40%2C~._-"
		want(t, "the address", r.URI, "/v2/service_instances/"+escaped+"?service_id="+escaped+"&plan_id="+escaped)
		c.FetchBinding(t.Context(), p, odd)
		want(t, "the address", s.one(t).URI, "/v2/service_instances/"+escaped+"/service_bindings/"+escaped+"?service_id="+escaped+"&plan_id="+escaped)
		for _, id := range []string{".", "..", ""} {
			_, out := c.Deprovision(t.Context(), RemovalRequest{Params: Params{InstanceID: id, ServiceID: "s", PlanID: "p"}})
			want(t, "an id that leads elsewhere", out.Class, osbresult.Rejected)
			want(t, "requests about "+id, len(s.take()), 0)
		}
	}},
	{"T09", func(t *testing.T) {
		const odd = "task 1+2/3%20%zz?&=#\"\\ \t❤👋ö"
		broker := newScript(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				w.WriteHeader(http.StatusAccepted)
				_ = json.NewEncoder(w).Encode(map[string]string{"operation": odd})
				return
			}
			_, raw, _ := strings.Cut(r.URL.RawQuery, "operation=")
			plain, err := url.PathUnescape(raw) // percent-decoding alone: + stays +
			if err != nil || plain != odd {
				t.Errorf("the operation came as %q", raw)
			}
			_, _ = w.Write([]byte(`{"state":"succeeded"}`))
		})
		c := newClient(t, broker.URL)
		response, out := c.Provision(t.Context(), provisionRequest())
		want(t, "the provisioning", out.Class, osbresult.Accepted)
		_, out = c.Poll(t.Context(), PollRequest{Params: params(), Operation: response.Operation})
		want(t, "the poll", out.Class, osbresult.Done)
	}},
	{"T10", func(t *testing.T) {
		s := newScript(t, status(200, good))
		for suffix, prefix := range map[string]string{
			"": "", "/": "", "/a": "/a", "/a/b//": "/a/b", "/a%2Fb/c%20d/": "/a%2Fb/c%20d", " \n": "",
		} {
			c := newClient(t, s.URL+suffix)
			c.Catalog(t.Context(), "")
			want(t, "with "+suffix, s.one(t).URI, prefix+"/v2/catalog")
			c.FetchInstance(t.Context(), Params{InstanceID: "a/b"})
			want(t, "with "+suffix, s.one(t).URI, prefix+"/v2/service_instances/a%2Fb")
		}
	}},
	{"T11", func(t *testing.T) {
		s := newScript(t, status(200, good))
		c := newClient(t, s.URL)
		seen := map[string]bool{}
		for _, call := range calls(nil, true) {
			call(t.Context(), c)
			id := s.one(t).Header.Get("X-Broker-API-Request-Identity")
			if id == "" || seen[id] {
				t.Errorf("the request identity is %q, which is empty or not the first of its kind", id)
			}
			seen[id] = true
		}
	}},
	{"T12", func(t *testing.T) {
		guid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
		s := newScript(t, status(200, good))
		for range 20 {
			newClient(t, s.URL).Catalog(t.Context(), "")
			if id := s.one(t).Header.Get("X-Broker-API-Request-Identity"); !guid.MatchString(id) {
				t.Errorf("got %q", id)
			}
		}
	}},
	{"T14", func(t *testing.T) {
		s := newScript(t, status(412, `{"description":"use 1.0"}`))
		c := newClient(t, s.URL)
		for operation, call := range calls(nil, true) {
			out, class := call(t.Context(), c), osbresult.NeedsCatalog // with which the version is settled anew
			if operation == GetCatalog {
				class = osbresult.Misconfigured
			}
			want(t, string(operation), out.Class, class)
			if !strings.HasPrefix(out.Description, "the broker refuses version 2.17 of the API: use 1.0") {
				t.Errorf("%s: got %q", operation, out.Description)
			}
		}
	}},
	{"T15", verification},
	{"T16", func(t *testing.T) {
		s := newScript(t, nil)
		c := newClient(t, s.URL)
		for _, code := range []string{"AsyncRequired", "ConcurrencyError", "RequiresApp", "MaintenanceInfoConflict"} {
			s.answers(status(422, `{"description":"`+code+`"}`))
			_, out := c.Bind(t.Context(), bindRequest())
			want(t, code+" as a description", out.Class, osbresult.Rejected)
			_, out = c.Provision(t.Context(), provisionRequest())
			want(t, code+" as a description", out.Class, osbresult.Rejected)
		}
		r := provisionRequest()
		r.AcceptsIncomplete = false
		for _, description := range []string{`"x"`, `""`, `null`, `7`, `"This service plan requires client support for asynchronous service operations."`} {
			s.answers(status(422, `{"error":"AsyncRequired","description":`+description+`}`))
			_, out := c.Provision(t.Context(), r)
			want(t, "the code beside "+description, out.Class, osbresult.NeedsAsync)
		}
	}},

	{"I01", func(t *testing.T) {
		s := newScript(t, status(200, good))
		c := newClient(t, s.URL)
		for operation, call := range calls(&Identity{Username: "ada"}, true) {
			call(t.Context(), c)
			if has := s.one(t).Header.Get("X-Broker-API-Originating-Identity") != ""; has != (operation != GetCatalog) {
				t.Errorf("%s names who caused it: %t", operation, has)
			}
		}
	}},
	{"I02", func(t *testing.T) {
		s := newScript(t, status(200, good))
		c := newClient(t, s.URL)
		for operation, call := range calls(nil, true) {
			call(t.Context(), c)
			want(t, string(operation), len(s.one(t).Header.Values("X-Broker-API-Originating-Identity")), 0)
		}
	}},
	{"I03", func(t *testing.T) {
		for _, user := range []Identity{{}, {Username: "a>?~ö"}, {Username: "system:serviceaccount:shop:ci", Groups: []string{"g"}, Extra: map[string][]string{"k": nil}}} {
			token, encoded, _ := strings.Cut(user.header(), " ")
			text, err := base64.StdEncoding.DecodeString(encoded)
			if token != "kubernetes" || err != nil {
				t.Fatalf("got %q: %v", user.header(), err)
			}
			var object map[string]any
			if err := json.Unmarshal(text, &object); err != nil || object["username"] != user.Username {
				t.Errorf("got %s: %v", text, err)
			}
		}
	}},
	{"I04", func(t *testing.T) {
		for _, r := range everyBody(t) {
			token, _, _ := strings.Cut(r.Header.Get("X-Broker-API-Originating-Identity"), " ")
			if of := r.member(t, "context", "platform"); of != nil {
				want(t, r.Method+" "+r.URI, any(token), of)
			}
		}
	}},
	{"I05", func(t *testing.T) {
		for want, user := range map[string]Identity{
			`{"username":"","uid":"","groups":[],"extra":{}}`:                         {},
			`{"username":"ada","uid":"7","groups":["a","b"],"extra":{"k":["v","w"]}}`: {"ada", "7", []string{"a", "b"}, map[string][]string{"k": {"v", "w"}}},
			`{"username":"ada","uid":"","groups":[],"extra":{"k":[]}}`:                {Username: "ada", Groups: []string{}, Extra: map[string][]string{"k": nil}},
		} {
			_, encoded, _ := strings.Cut(user.header(), " ")
			if text, _ := base64.StdEncoding.DecodeString(encoded); string(text) != want {
				t.Errorf("got %s, want %s", text, want)
			}
		}
	}},

	{"C03", func(t *testing.T) {
		catalog := parseCatalog(t, `{"services":[{"id":"1","name":"db","plans":[{"id":"a","name":"s"},{"id":"b","name":"S"}]},{"id":"2","name":"DB","plans":[{"id":"A","name":"s"}]}]}`)
		if len(catalog.Services) != 2 || len(catalog.Services[0].Plans) != 2 || len(catalog.Problems) != 0 {
			t.Errorf("got %+v", catalog)
		}
	}},
	{"C05", func(t *testing.T) {
		s := newScript(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `W/"7"`)
			if r.Header.Get("If-None-Match") == `W/"7"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write([]byte(`{"services":[]}`))
		})
		c := newClient(t, s.URL)
		first, out := c.Catalog(t.Context(), "")
		want(t, "the first", out.Class, osbresult.Done)
		want(t, "what it is known by", first.ETag, `W/"7"`)
		second, out := c.Catalog(t.Context(), first.ETag)
		want(t, "the second", out.Class, osbresult.Done)
		want(t, "the second is new", second != nil, false)
	}},
	{"C06", func(t *testing.T) {
		if catalog := parseCatalog(t, `{"services":[]}`); len(catalog.Services)+len(catalog.Problems) != 0 {
			t.Errorf("got %+v", catalog)
		}
	}},
	{"C09", func(t *testing.T) {
		for said, free := range map[string]bool{"": true, `,"free":null`: true, `,"free":true`: true, `,"free":false`: false} {
			catalog := parseCatalog(t, `{"services":[{"id":"1","name":"db","plans":[{"id":"a","name":"s"`+said+`}]}]}`)
			want(t, "free with "+said, catalog.Services[0].Plans[0].Free, free)
		}
	}},
	{"C10", func(t *testing.T) {
		for said, rotatable := range map[string]bool{"": false, `,"binding_rotatable":null`: false, `,"binding_rotatable":true`: true} {
			catalog := parseCatalog(t, `{"services":[{"id":"1","name":"db","binding_rotatable":true,"plans":[{"id":"a","name":"s"`+said+`}]}]}`)
			want(t, "rotatable with "+said, catalog.Services[0].Plans[0].BindingRotatable, rotatable)
		}
	}},
	{"C14", func(t *testing.T) {
		schema := func(length int) string {
			text := `{"$schema":"http://json-schema.org/draft-04/schema#","description":"`
			return text + strings.Repeat("x", length-len(text)-2) + `"}`
		}
		for length, applied := range map[int]bool{64 << 10: true, 64<<10 + 1: false} {
			catalog := parseCatalog(t, `{"services":[{"id":"1","name":"db","plans":[{"id":"a","name":"s","schemas":{"service_instance":{"create":{"parameters":`+schema(length)+`}}}}]}]}`)
			want(t, "it is applied", catalog.Services[0].Plans[0].CreateInstance != nil, applied)
			want(t, "it is reported", len(catalog.Problems) == 1 && strings.Contains(catalog.Problems[0], "schemas.service_instance.create.parameters is left out"), !applied)
		}
	}},

	{"P03", func(t *testing.T) {
		s := newScript(t, status(201, `{}`))
		c := newClient(t, s.URL)
		c.Provision(t.Context(), provisionRequest())
		r := s.one(t)
		for name, value := range map[string]string{"service_id": serviceID, "plan_id": planID, "organization_guid": "c1", "space_guid": "space"} {
			want(t, name, r.member(t, name), any(value))
		}
		for name, empty := range map[string]func(*ProvisionRequest){
			"service_id": func(r *ProvisionRequest) { r.ServiceID = "" }, "plan_id": func(r *ProvisionRequest) { r.PlanID = "" },
			"organization_guid": func(r *ProvisionRequest) { r.OrganizationGUID = "" }, "space_guid": func(r *ProvisionRequest) { r.SpaceGUID = "" },
		} {
			r := provisionRequest()
			empty(&r)
			_, out := c.Provision(t.Context(), r)
			want(t, "without it", out, osbresult.Outcome{Class: osbresult.Rejected, Description: "not sent: " + name + " must not be empty"})
			want(t, "requests", len(s.take()), 0)
		}
	}},
	{"P04", func(t *testing.T) {
		s := newScript(t, status(201, `{}`))
		newClient(t, s.URL).Provision(t.Context(), provisionRequest())
		r := s.one(t)
		if r.member(t, "context") == nil || r.member(t, "organization_guid") == nil || r.member(t, "space_guid") == nil {
			t.Errorf("got %s", r.Body)
		}
	}},
	{"P05", func(t *testing.T) {
		s := newScript(t, status(201, `{}`))
		c := newClient(t, s.URL)
		c.Provision(t.Context(), provisionRequest())
		r := s.one(t)
		for name, value := range map[string]string{"platform": "kubernetes", "namespace": "shop", "clusterid": "c1", "instance_name": "orders"} {
			want(t, name, r.member(t, "context", name), any(value))
		}
		for _, within := range []Context{{}, {ClusterID: "c", InstanceName: "i"}, {Namespace: "n", InstanceName: "i"}, {Namespace: "n", ClusterID: "c"}} {
			r := provisionRequest()
			r.Context = within
			_, out := c.Provision(t.Context(), r)
			want(t, "without it", out.Class, osbresult.Rejected)
			want(t, "requests", len(s.take()), 0)
		}
	}},
	{"P06", func(t *testing.T) {
		s := newScript(t, status(201, `{}`))
		c := newClient(t, s.URL)
		r := provisionRequest()
		c.Provision(t.Context(), r)
		want(t, "without a version", s.one(t).member(t, "maintenance_info"), nil)
		r.MaintenanceVersion = "2.1.1+abc"
		c.Provision(t.Context(), r)
		want(t, "with one", s.one(t).member(t, "maintenance_info", "version"), any("2.1.1+abc"))
	}},
	{"P08", func(t *testing.T) {
		s := newScript(t, nil)
		c := newClient(t, s.URL)
		for code, class := range map[int]osbresult.Class{200: osbresult.Done, 201: osbresult.Done, 202: osbresult.Accepted} {
			s.answers(status(code, `{"operation":"op"}`))
			response, out := c.Provision(t.Context(), provisionRequest())
			want(t, "it is", out.Class, class)
			want(t, "it was made now", response.Created, code == 201)
			want(t, "what to poll for", response.Operation != "", code == 202)
		}
	}},
	{"P15", func(t *testing.T) {
		s := newScript(t, nil)
		c := newClient(t, s.URL)
		for code := 200; code < 600; code++ {
			s.answers(status(code, `{}`, "Location", "/elsewhere"))
			_, out := c.Provision(t.Context(), provisionRequest())
			if listed := code <= 202; listed != (out.Class == osbresult.Done || out.Class == osbresult.Accepted) {
				t.Errorf("%d: got %s", code, out.Class)
			}
		}
	}},
	{"P17", func(t *testing.T) {
		for _, body := range []string{`{}`, `{"operation":null}`, `{"operation":""}`} {
			s := newScript(t, status(202, body))
			c := newClient(t, s.URL)
			response, out := c.Provision(t.Context(), provisionRequest())
			want(t, body, out.Class, osbresult.Accepted)
			s.take()
			c.Poll(t.Context(), PollRequest{Params: params(), Operation: response.Operation})
			if r := s.one(t); strings.Contains(r.URI, "operation=") {
				t.Errorf("%s: got %s", body, r.URI)
			}
		}
	}},
	{"P19", metadataIsIgnored},
	{"P20", metadataIsIgnored},

	{"L01", func(t *testing.T) {
		s := newScript(t, status(200, good))
		c := newClient(t, s.URL)
		for _, binding := range []string{"", bindingID} {
			c.Poll(t.Context(), pollRequest(binding))
			if r := s.one(t); !strings.HasSuffix(r.URI, "/last_operation?service_id="+serviceID+"&plan_id="+planID+"&operation=op") {
				t.Errorf("got %s", r.URI)
			}
			r := pollRequest(binding)
			r.PlanID = ""
			_, out := c.Poll(t.Context(), r)
			want(t, "without a plan", out.Class, osbresult.Rejected)
			want(t, "requests", len(s.take()), 0)
		}
	}},
	{"L02", func(t *testing.T) {
		s := newScript(t, status(200, good))
		c := newClient(t, s.URL)
		for _, binding := range []string{"", bindingID} {
			for _, operation := range []string{"", "op", " "} {
				r := pollRequest(binding)
				r.Operation = operation
				c.Poll(t.Context(), r)
				query := mustQuery(t, s.one(t).URI)
				want(t, "it is there", query.Has("operation"), operation != "")
				want(t, "it is", query.Get("operation"), operation)
			}
		}
	}},

	{"U08", func(t *testing.T) {
		for _, body := range []string{`{}`, ``, "\n", `null`} {
			s := newScript(t, status(200, body))
			response, out := newClient(t, s.URL).Update(t.Context(), UpdateRequest{Params: params()})
			want(t, "with "+body, out.Class, osbresult.Done)
			want(t, "it says", response, UpdateResponse{})
		}
	}},
	{"U11", func(t *testing.T) {
		s := newScript(t, nil)
		c := newClient(t, s.URL)
		for said, unusable := range map[string]bool{`{}`: false, ``: false, `{"instance_usable":null}`: false, `{"instance_usable":true}`: false, `{"instance_usable":"no"}`: false, `{"instance_usable":false}`: true} {
			for _, code := range []int{400, 422, 500} {
				s.answers(status(code, said))
				_, out := c.Update(t.Context(), UpdateRequest{Params: params()})
				want(t, "a change that fails with "+said, out.InstanceUnusable, unusable)
				_, out = c.Deprovision(t.Context(), removalRequest(""))
				want(t, "a removal that fails with "+said, out.InstanceUnusable, unusable)
				_, out = c.Provision(t.Context(), provisionRequest())
				want(t, "a provisioning, which cannot say it", out.InstanceUnusable, false)
			}
		}
	}},
	{"U17", func(t *testing.T) {
		s := newScript(t, status(200, `{}`))
		p := params()
		p.PlanID = ""
		newClient(t, s.URL).Update(t.Context(), UpdateRequest{Params: p, MaintenanceVersion: "2.0.0", PreviousPlanID: planID, PreviousMaintenanceVersion: "1.0.0"})
		want(t, "the body", string(s.one(t).Body), `{"service_id":"`+serviceID+`","maintenance_info":{"version":"2.0.0"},"previous_values":{"plan_id":"`+planID+`","maintenance_info":{"version":"1.0.0"}}}`)
	}},

	{"D02", func(t *testing.T) { removalNamesItsPlan(t, "") }},
	{"D03", func(t *testing.T) { goneIsSuccess(t, "") }},
	{"D05", func(t *testing.T) {
		s := newScript(t, status(404, `{"description":"no such instance"}`))
		_, out := newClient(t, s.URL).Deprovision(t.Context(), removalRequest(""))
		want(t, "it is", out.Class, osbresult.Misconfigured)
	}},

	{"B03", func(t *testing.T) {
		s := newScript(t, status(201, `{}`))
		c := newClient(t, s.URL)
		for _, predecessor := range []string{"", "old"} {
			r := bindRequest()
			r.PredecessorID = predecessor
			c.Bind(t.Context(), r)
			sent := s.one(t)
			want(t, "service_id", sent.member(t, "service_id"), any(serviceID))
			want(t, "plan_id", sent.member(t, "plan_id"), any(planID))
		}
		r := bindRequest()
		r.ServiceID = ""
		_, out := c.Bind(t.Context(), r)
		want(t, "without one", out.Class, osbresult.Rejected)
	}},
	{"B04", func(t *testing.T) {
		s := newScript(t, status(201, `{}`))
		c := newClient(t, s.URL)
		c.Bind(t.Context(), bindRequest())
		r := s.one(t)
		for name, value := range map[string]any{"platform": "kubernetes", "namespace": "shop", "clusterid": "c1", "instance_name": nil} {
			want(t, name, r.member(t, "context", name), value)
		}
		for _, within := range []Context{{}, {Namespace: "n"}, {ClusterID: "c"}} {
			r := bindRequest()
			r.Context = within
			_, out := c.Bind(t.Context(), r)
			want(t, "without it", out.Class, osbresult.Rejected)
			want(t, "requests", len(s.take()), 0)
		}
	}},
	{"B05", func(t *testing.T) {
		s := newScript(t, status(201, `{}`))
		c := newClient(t, s.URL)
		for _, app := range []string{"", "ns-uid"} {
			for _, top := range []bool{false, true} {
				r := bindRequest()
				r.AppGUID, r.TopLevelAppGUID = app, top
				c.Bind(t.Context(), r)
				sent := s.one(t)
				inResource, atTop := any(nil), any(nil)
				if app != "" {
					inResource = app
				}
				if top {
					atTop = inResource
				}
				want(t, "in bind_resource", sent.member(t, "bind_resource", "app_guid"), inResource)
				want(t, "at the top", sent.member(t, "app_guid"), atTop)
				want(t, "bind_resource is there", sent.member(t, "bind_resource") != nil, app != "")
			}
		}
	}},
	{"B08", func(t *testing.T) {
		s := newScript(t, status(202, `{"operation":"op","credentials":{"password":"early"},"syslog_drain_url":"x","metadata":{"expires_at":"2030-01-01T00:00:00Z"}}`))
		binding, out := newClient(t, s.URL).Bind(t.Context(), bindRequest())
		want(t, "it is", out.Class, osbresult.Accepted)
		if binding.Credentials != nil || binding.SyslogDrainURL != "" || !binding.ExpiresAt.IsZero() || binding.Operation != "op" {
			t.Errorf("got %+v", binding)
		}
	}},
	{"B14", func(t *testing.T) {
		s := newScript(t, status(201, `{"credentials":{},"endpoints":[{"host":"a","ports":["443","9000-9010"]},{"host":"b","ports":[5432],"protocol":"udp"},{"host":"c","ports":["1"],"protocol":null}]}`))
		binding, out := newClient(t, s.URL).Bind(t.Context(), bindRequest())
		want(t, "it is", out.Class, osbresult.Done)
		wanted := []osbresult.Endpoint{{Host: "a", Ports: []string{"443", "9000-9010"}, Protocol: "tcp"}, {Host: "b", Ports: []string{"5432"}, Protocol: "udp"}, {Host: "c", Ports: []string{"1"}, Protocol: "tcp"}}
		if !slices.EqualFunc(binding.Endpoints, wanted, func(a, b osbresult.Endpoint) bool {
			return a.Host == b.Host && a.Protocol == b.Protocol && slices.Equal(a.Ports, b.Ports)
		}) {
			t.Errorf("got %+v", binding.Endpoints)
		}
		for _, ports := range []string{`["0"]`, `["65536"]`, `["1-"]`, `["-1"]`, `["a"]`, `[" 1"]`, `[1.5]`, `[null]`, `[["1"]]`, `"443"`} {
			s.answers(status(201, `{"credentials":{},"endpoints":[{"host":"a","ports":`+ports+`}]}`))
			_, out := newClient(t, s.URL).Bind(t.Context(), bindRequest())
			want(t, "with "+ports, out.Class, osbresult.Unknown)
		}
	}},
	{"B16", func(t *testing.T) {
		for text, at := range map[string]time.Time{
			"2030-01-31T12:00:00Z":                time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC),
			"2030-01-31T12:00:00.0Z":              time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC),
			"2030-01-31T12:00:00.123456Z":         time.Date(2030, 1, 31, 12, 0, 0, 123456000, time.UTC),
			"2030-01-31T12:00:00.1234567891234Z":  time.Date(2030, 1, 31, 12, 0, 0, 123456789, time.UTC),
			"2030-01-31T14:00:00.5+02:00":         time.Date(2030, 1, 31, 12, 0, 0, 500000000, time.UTC),
			"2030-01-31T14:00:00+0200":            time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC),
			"":                                    {},
			"2030-01-31T12:00:00.00000000000000Z": time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC),
		} {
			s := newScript(t, status(200, `{"credentials":{},"metadata":{"expires_at":"`+text+`","renew_before":"`+text+`"}}`))
			binding, out := newClient(t, s.URL).FetchBinding(t.Context(), params(), bindingID)
			want(t, text, out.Class, osbresult.Done)
			if !binding.ExpiresAt.Equal(at) || !binding.RenewBefore.Equal(at) {
				t.Errorf("%s: got %s, %s", text, binding.ExpiresAt, binding.RenewBefore)
			}
		}
	}},

	{"F02", func(t *testing.T) { onlyNotFoundIsGone(t, GetInstance) }},
	{"F03", func(t *testing.T) { onlyNotFoundIsGone(t, GetBinding) }},
	{"F06", func(t *testing.T) {
		s := newScript(t, status(200, `{"maintenance_info":{"version":"1.2.3","description":7}}`))
		instance, out := newClient(t, s.URL).FetchInstance(t.Context(), params())
		want(t, "it is", out.Class, osbresult.Done)
		want(t, "the version", instance.MaintenanceVersion, "1.2.3")
	}},

	{"N01", func(t *testing.T) { removalNamesItsPlan(t, bindingID) }},
	{"N02", func(t *testing.T) { goneIsSuccess(t, bindingID) }},

	{"O01", func(t *testing.T) {
		leavesBehind(t, status(500, `{}`), status(503, `x`), status(599, ``))
	}},
	{"O02", func(t *testing.T) {
		leavesBehind(t, drop, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	}},
	{"O03", func(t *testing.T) {
		leavesBehind(t, status(201, `<html>`), status(202, `<html>`), status(202, ``), status(201, `[]`), status(202, `{"operation":7}`),
			status(202, `{"operation":"`+strings.Repeat("x", 10001)+`"}`), status(201, `{"dashboard_url":{}}`))
	}},
	{"O04", func(t *testing.T) {
		leavesBehind(t, status(203, `{}`), status(204, ``), status(206, `{}`), status(226, `{}`))
	}},
	{"O06", func(t *testing.T) {
		leavesNothing(t, ProvisionInstance, status(200, `<html>`), status(200, `[]`), status(200, `{"dashboard_url":7}`))
	}},
	{"O07", func(t *testing.T) { leavesNothing(t, ProvisionInstance, everyFourHundred()...) }},
	{"O09", func(t *testing.T) {
		leavesNothing(t, Bind, append(everyFourHundred(), status(200, `<html>`), status(200, ``), status(200, `{"credentials":"x"}`))...)
	}},
	{"O11", func(t *testing.T) {
		s := newScript(t, status(422, `{"error":"ConcurrencyError","description":"wait"}`))
		for operation, call := range calls(nil, true) {
			if operation != GetCatalog {
				want(t, string(operation), call(t.Context(), newClient(t, s.URL)).Class, osbresult.Concurrency)
			}
		}
	}},
}

func TestConformance(t *testing.T) {
	for _, c := range conformance {
		t.Run(c.id, c.test)
	}
}

// everyBody are the requests that have a body, with all that can be in one.
func everyBody(t *testing.T) []got {
	t.Helper()
	s := newScript(t, status(200, `{}`))
	c := newClient(t, s.URL)
	p := params()
	p.Identity = &Identity{Username: "ada"}
	parameters := json.RawMessage(`{"size":1.50,"<&>":12345678901234567890}`)
	c.Provision(t.Context(), ProvisionRequest{p, within(), "org", "space", parameters, "1.0.0"})
	c.Update(t.Context(), UpdateRequest{p, within(), parameters, "2.0.0", "former", "1.0.0"})
	c.Bind(t.Context(), BindRequest{p, bindingID, within(), "app", true, parameters, ""})
	c.Bind(t.Context(), BindRequest{p, bindingID, within(), "app", true, parameters, "predecessor"})
	all := s.take()
	want(t, "requests", len(all), 4)
	return all
}

func parseCatalog(t *testing.T, body string) *osbresult.Catalog {
	t.Helper()
	s := newScript(t, status(200, body))
	catalog, out := newClient(t, s.URL).Catalog(t.Context(), "")
	if out.Class != osbresult.Done || catalog == nil {
		t.Fatalf("got %+v", out)
	}
	return catalog
}

func mustQuery(t *testing.T, uri string) url.Values {
	t.Helper()
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// metadataIsIgnored: we keep neither labels nor attributes, so that none of a former set
// can stay, and none that we do not know can do harm.
func metadataIsIgnored(t *testing.T) {
	for _, metadata := range []string{
		`{"labels":{"a":"b"},"attributes":{"x":"y"}}`, `{"labels":{"not a label!":"\u0000"},"attributes":{"x":{"y":[1]}}}`, `{"labels":[],"attributes":7}`, `{"labels":null}`, `null`, `7`,
	} {
		s := newScript(t, status(200, `{"metadata":`+metadata+`}`))
		c := newClient(t, s.URL)
		response, out := c.Provision(t.Context(), provisionRequest())
		want(t, "a provisioning with "+metadata, out.Class, osbresult.Done)
		want(t, "it says", response, ProvisionResponse{})
		_, out = c.Update(t.Context(), UpdateRequest{Params: params()})
		want(t, "an update with "+metadata, out.Class, osbresult.Done)
		_, out = c.FetchInstance(t.Context(), params())
		want(t, "an instance with "+metadata, out.Class, osbresult.Done)
	}
}

func remove(t *testing.T, c *Client, r RemovalRequest) osbresult.Outcome {
	t.Helper()
	var out osbresult.Outcome
	if r.BindingID == "" {
		_, out = c.Deprovision(t.Context(), r)
	} else {
		_, out = c.Unbind(t.Context(), r)
	}
	return out
}

func removalNamesItsPlan(t *testing.T, binding string) {
	s := newScript(t, status(200, `{}`))
	c := newClient(t, s.URL)
	remove(t, c, removalRequest(binding))
	r := s.one(t)
	if r.Method != http.MethodDelete || !strings.HasSuffix(r.URI, "?service_id="+serviceID+"&plan_id="+planID+"&accepts_incomplete=true") || len(r.Body) > 0 {
		t.Errorf("got %s %s %s", r.Method, r.URI, r.Body)
	}
	for _, empty := range []func(*Params){func(p *Params) { p.ServiceID = "" }, func(p *Params) { p.PlanID = "" }} {
		request := removalRequest(binding)
		empty(&request.Params)
		want(t, "without one", remove(t, c, request).Class, osbresult.Rejected)
		want(t, "requests", len(s.take()), 0)
	}
}

func goneIsSuccess(t *testing.T, binding string) {
	s := newScript(t, nil)
	c := newClient(t, s.URL)
	for code := 200; code < 600; code++ {
		for _, body := range []string{`{}`, ``, `{"error":"AsyncRequired"}`, `<html>`} {
			s.answers(status(code, body, "Location", "/elsewhere"))
			out := remove(t, c, removalRequest(binding))
			gone := code == 410
			done := code == 200 && body != `<html>`
			running := code == 202 && strings.HasPrefix(body, "{")
			want(t, http.StatusText(code)+" is Gone", out.Class == osbresult.Gone, gone)
			want(t, http.StatusText(code)+" is Done", out.Class == osbresult.Done, done)
			want(t, http.StatusText(code)+" is Accepted", out.Class == osbresult.Accepted, running)
		}
	}
}

func onlyNotFoundIsGone(t *testing.T, operation Operation) {
	s := newScript(t, nil)
	c := newClient(t, s.URL)
	fetch := calls(nil, false)[operation]
	for code := 200; code < 600; code++ {
		s.answers(status(code, `{}`, "Location", "/elsewhere"))
		out := fetch(t.Context(), c)
		want(t, http.StatusText(code)+" is Gone", out.Class == osbresult.Gone, code == 404)
		want(t, http.StatusText(code)+" is Done", out.Class == osbresult.Done, code == 200)
	}
	s.answers(drop)
	want(t, "no answer", fetch(t.Context(), c).Class, osbresult.Retry)
}

func everyFourHundred() []http.HandlerFunc {
	var all []http.HandlerFunc
	for code := 400; code < 500; code++ {
		all = append(all, status(code, `{"description":"no"}`), status(code, `<html>`))
	}
	return append(all, status(422, `{"error":"AsyncRequired"}`), status(422, `{"error":"ConcurrencyError"}`), status(422, `{"error":"RequiresApp"}`))
}

// leavesBehind checks that after these answers to a provisioning, the caller must see to
// what may be there.
func leavesBehind(t *testing.T, answers ...http.HandlerFunc) {
	s := newScript(t, nil)
	c := newClient(t, s.URL, func(o *Options) { o.Outbound.Timeout = time.Second })
	for i, answer := range answers {
		s.answers(answer)
		if _, out := c.Provision(t.Context(), provisionRequest()); out.Class != osbresult.Unknown || !out.Sent {
			t.Errorf("answer %d: got %+v", i, out)
		}
	}
}

// leavesNothing checks that after these answers there is nothing to clean up.
func leavesNothing(t *testing.T, operation Operation, answers ...http.HandlerFunc) {
	s := newScript(t, nil)
	c := newClient(t, s.URL)
	for i, answer := range answers {
		s.answers(answer)
		switch out := calls(nil, true)[operation](t.Context(), c); out.Class {
		case osbresult.Rejected, osbresult.Retry, osbresult.Misconfigured, osbresult.Conflict, osbresult.NeedsAsync, osbresult.NeedsApp, osbresult.NeedsCatalog, osbresult.Concurrency, osbresult.Malformed:
		default:
			t.Errorf("answer %d: got %+v", i, out)
		}
	}
}

func otherAuthentication(t *testing.T) {
	s := newScript(t, status(200, good))
	c := newClient(t, s.URL, func(o *Options) { o.Auth.BearerToken = "t0ken\n" })
	for operation, call := range calls(nil, true) {
		call(t.Context(), c)
		want(t, string(operation), s.one(t).Header.Get("Authorization"), "Bearer t0ken")
	}

	tokens := newScript(t, status(200, `{"access_token":"issued","token_type":"bearer","expires_in":3600}`))
	c = newClient(t, s.URL, func(o *Options) {
		o.Auth.OAuth2 = &OAuth2{TokenURL: tokens.URL + "/token", ClientID: "id", ClientSecret: "secret", Scopes: []string{"a", "b"}}
	})
	for operation, call := range calls(nil, true) {
		call(t.Context(), c)
		want(t, string(operation), s.one(t).Header.Get("Authorization"), "Bearer issued")
	}
	r := tokens.one(t)
	want(t, "who asks for a token", r.Header.Get("Authorization"), "Basic "+base64.StdEncoding.EncodeToString([]byte("id:secret")))
	want(t, "what for", string(r.Body), "grant_type=client_credentials&scope=a+b")

	clientCertificate(t)
}

// outboundOptions is for the tests of TLS.
func outboundOptions(ca []byte) outbound.Options {
	return outbound.Options{Timeout: 10 * time.Second, CABundle: ca}
}
