// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"time"

	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// poll polls a provisioning or an update.
func (d *decision) poll() {
	ids, missing := d.newRecordedRequest()
	switch {
	case missing != nil:
		d.setBlocked(missing)
	case d.in.Offering.Broker == nil:
		d.setBlocked(rules.MissingReference(d.si, v1beta1.ReasonReferencesNonexistentBroker, rules.BrokerMissing(d.Status.Broker, "to poll the operation in progress")))
	case d.in.BrokerBlocker != nil:
		d.setBlocked(d.in.BrokerBlocker)
	default:
		ids.MaxDuration, ids.IsOverdue, ids.SeenRunning = d.maxPolling(), d.isOverdue(), d.in.SeenRunning
		if d.hasSentParameters() {
			ids.Required = d.in.Parameters.Required
		}
		ids.FetchDashboard = ids.Retrievable && d.Status.DashboardURL == nil
		d.pollWhenDue(ids, false)
	}
}

// hasSentParameters reports whether the operation is for the parameters of the present spec: an update leaves out parameters that stay the same.
func (d *decision) hasSentParameters() bool {
	before, sent := rules.NonNil(d.Status.ExternalProperties), rules.NonNil(d.Status.InProgressProperties)
	return d.Status.ObservedGeneration == d.si.Generation && (d.phase == Provisioning.accepted() || !rules.SameParametersSent(before, sent))
}

// pollWhenDue polls the operation when the next poll is due.
func (d *decision) pollWhenDue(ids *Request, removal bool) {
	if due := d.schedule().NextPoll(); due.After(d.in.Now) {
		d.RequeueAt = due
		return
	}
	ids.MakePoll(removal, ptr.Deref(d.Status.LastOperation, ""))
	ids.ConfirmsGone = removal && d.in.ConfirmsGone(d.Status.Common(), ids.ID)
	d.Request = ids
}

// isOverdue reports whether the operation is past its deadline.
func (d *decision) isOverdue() bool {
	return d.in.IsOverdue(d.Status.Common(), d.maxPolling())
}

func (d *decision) maxPolling() time.Duration {
	if d.in.OperationPlan == nil {
		return catalog.MaximumPollingDuration
	}
	return catalog.EffectiveOf(d.in.Offering.Class, d.in.OperationPlan).MaximumPollingDuration
}
