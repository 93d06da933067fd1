// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net/url"
	"strings"
	"testing"
)

func TestParsePath(t *testing.T) {
	for path, want := range map[string]resourcePath{
		"/api/v1/namespaces/run-1/secrets/login":                         {"", "secrets", "run-1", "login", "", "/api/v1"},
		"/api/v1/namespaces":                                             {"", "namespaces", "", "", "", "/api/v1"},
		"/api/v1/namespaces/run-1":                                       {"", "namespaces", "", "run-1", "", "/api/v1"},
		"/apis/pager.k8s.co/v1beta1/namespaces/run-1/alerts/disk/status": {"pager.k8s.co", "alerts", "run-1", "disk", "status", "/apis/pager.k8s.co/v1beta1"},
		"/apis/pager.k8s.co/v1beta1/alerts":                              {"pager.k8s.co", "alerts", "", "", "", "/apis/pager.k8s.co/v1beta1"},
	} {
		got, ok := parsePath(path)
		if !ok || got != want || got.path() != path {
			t.Errorf("%s is %+v (%v), which is %s", path, got, ok, got.path())
		}
	}
	for _, path := range []string{"/", "/version", "/api", "/api/v1", "/apis/pager.k8s.co/v1beta1", "/healthz/ping/x/y"} {
		if got, ok := parsePath(path); ok {
			t.Errorf("%s is taken for %+v", path, got)
		}
	}
}

func TestListsAreRestrictedToTheRun(t *testing.T) {
	s := NewAPIServer(APIServerOptions{Namespace: "run-1"})
	for path, want := range map[string]string{
		"/apis/pager.k8s.co/v1beta1/alerts":                       "/apis/pager.k8s.co/v1beta1/namespaces/run-1/alerts?",
		"/apis/pager.k8s.co/v1beta1/namespaces/other/alerts":      "/apis/pager.k8s.co/v1beta1/namespaces/other/alerts?",
		"/api/v1/namespaces":                                      "/api/v1/namespaces?fieldSelector=metadata.name%3Drun-1",
		"/apis/pager.k8s.co/v1beta1/clusterreceivers":             "/apis/pager.k8s.co/v1beta1/clusterreceivers?labelSelector=faults.bellhop.gophernetes.io%2Frun%3Drun-1",
		"/apis/apiextensions.k8s.io/v1/customresourcedefinitions": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?",
	} {
		of, _ := parsePath(path)
		query := url.Values{}
		s.restrictToRun(&of, query)
		if got := of.path() + "?" + query.Encode(); got != want {
			t.Errorf("%s becomes %s", path, got)
		}
	}
}

func TestCreatedClusterObjectsGetTheRunLabel(t *testing.T) {
	const class = `{"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ClusterServiceClass","metadata":{"labels":{"a":"b"},"name":"run-abcde-mysql"}}`
	got := string(withRunLabel([]byte(class), "run-abcde"))
	if want := `"labels":{"a":"b","` + RunLabel + `":"run-abcde"}`; !strings.Contains(got, want) || !strings.Contains(got, `"name":"run-abcde-mysql"`) {
		t.Errorf("it becomes %s", got)
	}
	if got := string(withRunLabel([]byte("nonsense"), "run-abcde")); got != "nonsense" {
		t.Errorf("nonsense becomes %s", got)
	}
	if got := StripRunName("PUT clusterserviceclasses/run-abcde-mysql of run-abcde"); got != "PUT clusterserviceclasses/mysql of run-abcde" {
		t.Errorf("in each run it is %s", got)
	}
}

func TestAcceptHeaderHasJSONOnly(t *testing.T) {
	for accept, want := range map[string]string{
		"": "application/json",
		"application/vnd.kubernetes.protobuf,application/json":                              "application/json",
		"application/vnd.kubernetes.protobuf":                                               "application/json",
		"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/cbor": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
	} {
		if got := acceptJSON(accept); got != want {
			t.Errorf("of %q there is left %q", accept, got)
		}
	}
}
