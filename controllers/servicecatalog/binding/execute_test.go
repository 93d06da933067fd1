// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestWhatABrokerRequiresIsRememberedForItsOtherBindings: it refuses one request only.
func TestWhatABrokerRequiresIsRememberedForItsOtherBindings(t *testing.T) {
	server, connection := controllertest.StartBroker(t)
	server.Inject(osbtest.Fault{On: osb.Bind, Answer: osbtest.Error(422, "RequiresApp", "an app, please")})
	server.Inject(osbtest.Fault{On: osb.Unbind, Answer: osbtest.Error(422, "AsyncRequired", "it takes time")})
	f, namespace := newBindingSample(), &corev1.Namespace{}
	namespace.Name, namespace.UID = f.b.Namespace, "uid-ns"
	c := controllertest.NewCluster(t, interceptor.Funcs{}, namespace)
	r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0),
		ClusterID: brokers.NewClusterID(c, c, types.NamespacedName{Namespace: "bellhop", Name: "cluster"})})
	broker := &brokers.Client{Client: connection}
	target := *f.in.BoundInstance.Target
	for _, is := range []struct {
		operation rules.Operation
		id        string
	}{{rules.Bind, "one"}, {rules.Bind, "two"}, {rules.Unbind, "one"}, {rules.Unbind, "two"}} {
		request := bindingrules.Request{Request: operation.Request{Operation: is.operation, ID: is.id}, Target: target}
		if _, err := r.sendRequest(t.Context(), viewOf(r, f.b, f.in), broker, &request); err != nil {
			t.Fatal(err)
		}
	}
	for _, call := range server.Calls() {
		repeated := call.BindingID == "two"
		switch call.Operation {
		case osb.Bind:
			if top := strings.Count(string(call.Body), `"app_guid"`) == 2; top != repeated {
				t.Errorf("binding %s: %s", call.BindingID, call.Body)
			}
		case osb.Unbind:
			if call.Query.Has("accepts_incomplete") != repeated {
				t.Errorf("unbinding %s: %s", call.BindingID, call.URI)
			}
		default:
			t.Errorf("unexpected %s", call.Operation)
		}
	}
	if n := len(server.Calls()); n != 4 {
		t.Errorf("%d requests", n)
	}
}
