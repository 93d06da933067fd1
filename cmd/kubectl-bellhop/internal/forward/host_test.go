// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"reflect"
	"testing"
)

func TestReferences(t *testing.T) {
	service := func(namespace, name string) reference { return reference{namespace: namespace, service: name} }
	podOf := func(namespace, service, pod string) reference {
		return reference{namespace: namespace, service: service, pod: pod}
	}
	for host, c := range map[string]struct {
		want     []reference
		explicit bool
	}{
		"db":                              {[]reference{service("ns", "db"), {namespace: "ns", pod: "db"}}, false},
		"DB.":                             {[]reference{service("ns", "db"), {namespace: "ns", pod: "db"}}, false},
		"db.prod":                         {[]reference{service("prod", "db"), podOf("ns", "prod", "db")}, false},
		"db.prod.svc":                     {[]reference{service("prod", "db")}, true},
		"db.prod.svc.cluster.local":       {[]reference{service("prod", "db")}, true},
		"db.prod.svc.cluster.local.":      {[]reference{service("prod", "db")}, true},
		"db.prod.svc.k8s.example.com":     {[]reference{service("prod", "db")}, true},
		"db-0.db.prod":                    {[]reference{podOf("prod", "db", "db-0")}, false},
		"db-0.db.prod.svc":                {[]reference{podOf("prod", "db", "db-0")}, true},
		"db-0.db.prod.svc.cluster.local":  {[]reference{podOf("prod", "db", "db-0")}, true},
		"10-1-2-3.prod.pod.cluster.local": {[]reference{{ip: "10.1.2.3"}}, true},
		"10.1.2.3":                        {[]reference{{ip: "10.1.2.3"}}, false},
		"[fd00::1]":                       {[]reference{{ip: "fd00::1"}}, false},
		"db.eu-west-1.rds.amazonaws.com":  {nil, false},
		"localhost":                       {nil, false},
		"127.0.0.1":                       {nil, false},
		"::1":                             {nil, false},
		"under_score":                     {nil, false},
		"":                                {nil, false},
		"a..b":                            {nil, false},
	} {
		got, explicit := references(host, "ns")
		if !reflect.DeepEqual(got, c.want) || explicit != c.explicit {
			t.Errorf("%q: %+v, explicit %v, want %+v, %v", host, got, explicit, c.want, c.explicit)
		}
	}
}

func TestSameHosts(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"db", "db.ns.svc", true}, {"db.ns", "db.ns.svc.cluster.local.", true}, {"db", "DB", true}, {"db", "db.other", false},
		{"db.example.com", "DB.example.com", true}, {"10.0.0.1", "10.0.0.1", true}, {"10.0.0.1", "10.0.0.2", false}, {"a.b.c.d.e", "a.b.c.d.f", false},
	} {
		if got := IsSameHost(c.a, c.b, "ns"); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}
