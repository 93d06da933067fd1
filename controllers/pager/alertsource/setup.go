// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertsource

import (
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/guard"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/ingest"
)

// workers is the number of concurrent reconciles.
const workers = 4

// reviewAfter is the delay between a change of an Alert and the review of its AlertSource: a post may change hundreds.
const reviewAfter = time.Second

// retryUnreadable is the delay after which a Secret that the operator may not read is read again: no event shows that it may.
const retryUnreadable = time.Minute

// Options are the options of the controller.
type Options struct {
	Access  *ingest.Access
	Secrets secrets.Metadata
	Times   ingest.Times
}

// Setup registers the controller.
func Setup(mgr ctrl.Manager, o Options) error {
	r := &Reconciler{client: mgr.GetClient(), cache: mgr.GetCache(), live: mgr.GetAPIReader(), access: o.Access, times: o.Times}
	return ctrl.NewControllerManagedBy(mgr).
		Named("alertsource").
		For(&v1beta1.AlertSource{}).
		Watches(&v1beta1.Alert{}, enqueue.Later(reviewAfter, sourceOf)).
		WatchesRawSource(o.Secrets.Changes(r.withSecret)).
		WithOptions(enqueue.ControllerOptions(workers)).
		Complete(guard.Reconciler(r, guard.InStatus(mgr.GetClient(), func() client.Object { return &v1beta1.AlertSource{} }, alertrules.ShowFailure)))
}
