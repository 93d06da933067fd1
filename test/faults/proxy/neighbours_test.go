// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestNeighbourKinds(t *testing.T) {
	for _, kind := range NeighbourKinds() {
		f, err := ParseFault(kind + "@3")
		if err != nil || !f.IsOfNeighbours() || f.IsOfTime() || f.String() != kind+"@3" {
			t.Errorf("%s: %s, %v", kind, f, err)
		}
	}
}

// From the call on, the API server refuses the writes that the fault names, and no others.
func TestRefusals(t *testing.T) {
	secret, alert := resourcePath{resource: "secrets", name: "app"}, resourcePath{resource: "alerts", name: "disk"}
	status := alert
	status.subresource = "status"
	// The bodies of internal/kube/patch, which writes a finalizer, and a status.
	const (
		guards        = `{"op":"test","path":"/metadata/uid","value":"u"},{"op":"test","path":"/metadata/resourceVersion","value":"7"}`
		setFinalizers = `[` + guards + `,{"op":"add","path":"/metadata/finalizers","value":["pager.k8s.co/alert"]}]`
		setStatus     = `[` + guards + `,{"op":"add","path":"/status","value":{"observedGeneration":1}}]`
	)
	for _, c := range []struct {
		kind, method string
		target       resourcePath
		body         string
		exists       bool
		code         int // 0: it is not refused
	}{
		{refusedSecrets, http.MethodPatch, secret, `{}`, false, 403},
		{refusedSecrets, http.MethodPatch, secret, `{}`, true, 0},
		{refusedSecrets, http.MethodDelete, secret, ``, false, 0},
		{refusedSecrets, http.MethodPatch, alert, `{}`, false, 0},
		{refusedStatus, http.MethodPatch, status, `{}`, true, 422},
		{refusedStatus, http.MethodPatch, alert, `{}`, true, 0},
		{refusedFinalizers, http.MethodPatch, alert, `{"metadata":{"finalizers":null}}`, true, 422},
		{refusedFinalizers, http.MethodPatch, alert, setFinalizers, true, 422},
		{refusedFinalizers, http.MethodPatch, alert, setStatus, true, 0},
		{refusedFinalizers, http.MethodPatch, alert, `{"spec":{}}`, true, 0},
		{NeighbourLabels, http.MethodPatch, status, `{}`, true, 0},
	} {
		i := NewInjector(nil)
		i.Arm(Fault{Kind: c.kind, At: Nth(1)})
		i.intercept(t.Context(), Call{})
		refused := i.refuse(httptest.NewRequestWithContext(t.Context(), c.method, "/", nil), c.target, []byte(c.body), func(context.Context) bool { return c.exists })
		if (refused == nil) != (c.code == 0) || i.Refusals() != min(c.code, 1) {
			t.Errorf("%s, %s %s: refused %v, %d times", c.kind, c.method, c.target.path(), refused != nil, i.Refusals())
			continue
		}
		if want := refused != nil || i.plan.IsOfClient(); i.Happened() != want { // a run in which nothing was refused says nothing
			t.Errorf("%s, %s %s: happened %v", c.kind, c.method, c.target.path(), i.Happened())
		}
		if refused == nil {
			continue
		}
		response := httptest.NewRecorder()
		refused(response, nil)
		if response.Code != c.code || !strings.Contains(response.Body.String(), RefusalText) {
			t.Errorf("%s: %d %s", c.kind, response.Code, response.Body)
		}
	}
}
