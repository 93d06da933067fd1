/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package servicecatalog

import (
	"context"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// heard notes what is logged at the level that is always on.
func heard(t *testing.T) (context.Context, func() string) {
	t.Helper()
	var lines []string
	logger := funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})
	return log.IntoContext(t.Context(), logger), func() string {
		said := strings.Join(lines, "\n")
		lines = nil
		return said
	}
}

func TestWhatIsGivenUpIsLoggedOnce(t *testing.T) {
	ctx, logged := heard(t)
	recorder, about := events.NewFakeRecorder(100), &v1beta1.ServiceInstance{}
	failing := verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonProvisionCallFailed, message: "HTTP 500"}
	first := failing.conditions(nil, noon)
	announce(ctx, recorder, about, nil, first)
	if said := logged(); said != "" {
		t.Errorf("what is tried again is logged: %s", said)
	}
	failing.stalled, failing.failed = true, &word{v1beta1.ReasonProvisionCallFailed, "HTTP 400: no room"}
	second := failing.conditions(first, noon)
	announce(ctx, recorder, about, first, second)
	if said := logged(); !strings.Contains(said, `"msg"="Given up"`) || !strings.Contains(said, "no room") {
		t.Errorf("logged is %q", said)
	}
	announce(ctx, recorder, about, second, second)
	announceRelease(ctx, recorder, about, word{v1beta1.ReasonDeprovisionedSuccessfully, "done"})
	if said := logged(); said != "" {
		t.Errorf("logged again is %q", said)
	}
	announceRelease(ctx, recorder, about, word{v1beta1.ReasonRetained, "the deletion policy is Retain"})
	if said := logged(); !strings.Contains(said, `"msg"="Retained"`) || !strings.Contains(said, "the deletion policy is Retain") {
		t.Errorf("logged is %q", said)
	}
}

func TestABrokerThatBeginsOrEndsToFailIsLogged(t *testing.T) {
	ctx, logged := heard(t)
	b := readBroker()
	status := func(v verdict) v1beta1.ServiceBrokerStatus {
		return v1beta1.ServiceBrokerStatus{Conditions: v.conditions(nil, noon)}
	}
	for _, c := range []struct {
		why  string
		now  verdict
		want string
	}{
		{"it waits for its turn", verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonQueued}, ""},
		{"it works from the beginning", verdict{ready: v1beta1.ConditionTrue, reason: v1beta1.ReasonFetchedCatalog}, ""},
		{"it fails", verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonErrorFetchingCatalog, message: "HTTP 500"}, "Broker does not work"},
		{"it fails again", verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonErrorFetchingCatalog, message: "HTTP 502"}, ""},
		{"it works", verdict{ready: v1beta1.ConditionTrue, reason: v1beta1.ReasonPartlySynced}, "Broker works again"},
	} {
		after := status(c.now)
		logBroker(ctx, b, after)
		if said := logged(); (said != "") != (c.want != "") || !strings.Contains(said, c.want) {
			t.Errorf("%s: logged is %q, want %q", c.why, said, c.want)
		}
		b.Status = after
	}
}
