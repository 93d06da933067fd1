// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// F-U5: a failure is logged at level error, and a healthy broker that is being deleted is not.
func TestABrokerThatBeginsOrEndsToFailIsLogged(t *testing.T) {
	ctx, logged := controllertest.RecordLog(t)
	b := &v1beta1.ClusterServiceBroker{}
	status := func(set rules.ConditionSet) v1beta1.ServiceBrokerStatus {
		return v1beta1.ServiceBrokerStatus{Conditions: set.Conditions(nil, rulestest.Noon)}
	}
	for _, c := range []struct {
		why  string
		now  rules.ConditionSet
		want string
	}{
		{"it waits for its turn", rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonQueued}, ""},
		{"it works from the beginning", rules.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: v1beta1.ReasonFetchedCatalog}, ""},
		{"it fails", rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonErrorFetchingCatalog, Message: "HTTP 500"}, "Broker does not work"},
		{"it fails again", rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonErrorFetchingCatalog, Message: "HTTP 502"}, ""},
		{"it works", rules.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: v1beta1.ReasonPartlySynced}, "Broker works again"},
		{"it is deleted, and in use", rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBrokerInUse}, `"level"=0 "msg"="Deleted broker is in use"`},
		{"it is still in use", rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBrokerInUse}, ""},
	} {
		after := status(c.now)
		logTransition(ctx, b, after)
		if said := logged(); (said != "") != (c.want != "") || !strings.Contains(said, c.want) {
			t.Errorf("%s: logged is %q, want %q", c.why, said, c.want)
		}
		b.Status = after
	}
}
