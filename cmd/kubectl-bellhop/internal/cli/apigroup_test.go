// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// environmentOf returns an environment of an API server that has these API groups.
func environmentOf(t *testing.T, groups ...string) *Environment {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if group := strings.TrimPrefix(r.URL.Path, "/apis/"); !slices.Contains(groups, group) {
			http.Error(w, "404 page not found", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"kind":"APIGroup","apiVersion":"v1"}`))
	}))
	t.Cleanup(server.Close)
	e := New(genericiooptions.NewTestIOStreamsDiscard())
	e.Connection.APIServer = &server.URL
	return e
}

func TestWithMissingGroup(t *testing.T) {
	alerts := schema.GroupResource{Group: PagerGroup, Resource: "alerts"}
	unserved := apierrors.NewGenericServerResponse(http.StatusNotFound, "get", alerts, "disk", "404 page not found", 0, true)
	forbidden := apierrors.NewForbidden(alerts, "disk", errors.New("no"))
	notFound := apierrors.NewNotFound(alerts, "disk")
	const isMissing = "does not have the API group pager.k8s.co: Bellhop's alerts are not installed here"
	for name, test := range map[string]struct {
		groups []string
		err    error
		want   string
	}{
		"no group":                     {[]string{ServicesGroup}, unserved, isMissing},
		"no group, and no right to it": {[]string{ServicesGroup}, forbidden, isMissing},
		"no kind of the group":         {Groups, unserved, unserved.Error()},
		"no right":                     {Groups, forbidden, forbidden.Error()},
		"no object":                    {[]string{ServicesGroup}, notFound, notFound.Error()},
		"another group":                {nil, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no")), `pods is forbidden`},
		"no answer":                    {nil, errors.New("connection refused"), "connection refused"},
	} {
		got := environmentOf(t, test.groups...).WithMissingGroup(t.Context(), test.err)
		if !strings.Contains(got.Error(), test.want) || (test.want == isMissing) != strings.Contains(HintOf(got), "install-pager.yaml") {
			t.Errorf("%s: %v, hint %s", name, got, HintOf(got))
		}
	}
	if !IsNotServed(unserved) || IsNotServed(notFound) || IsNotServed(forbidden) {
		t.Error("a resource that is not served is taken for an object that does not exist")
	}
}

func TestInstalledGroups(t *testing.T) {
	for _, groups := range [][]string{nil, {PagerGroup}, {ServicesGroup}, Groups} {
		if got, err := environmentOf(t, groups...).InstalledGroups(t.Context()); err != nil || !slices.Equal(got, groups) {
			t.Errorf("%v: %v, %v", groups, got, err)
		}
	}
}
