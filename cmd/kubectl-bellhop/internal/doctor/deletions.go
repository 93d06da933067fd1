// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// checkSecrets looks whether bindings that are ready have a Secret with credentials. It does not look at their values.
func checkSecrets(ctx context.Context, i *inspector) (result, error) {
	var r result
	objects, err := i.list(ctx, kinds.ServiceBinding)
	if err != nil {
		return skipForbidden(err)
	}
	ready := 0
	for _, object := range objects {
		binding := object.(*servicecatalogv1beta1.ServiceBinding)
		if kinds.StateOf(binding).State != kinds.StateReady {
			continue // its conditions say why
		}
		ready++
		name := catalog.SecretName(binding)
		secret, err := i.core.Secrets(binding.Namespace).Get(ctx, name, metav1.GetOptions{})
		f := Finding{Severity: Problem, Object: kinds.Label(binding), Namespace: binding.Namespace,
			Fix: "see that the operator runs: it writes the Secret again; if that cannot be, ask for new credentials with kubectl bellhop rotate " + binding.Name}
		switch {
		case apierrors.IsNotFound(err):
			f.ID, f.Message = "secret-missing", fmt.Sprintf("it is Ready, and its Secret %s does not exist", name)
			r.add(f)
		case err != nil:
			return skipForbidden(err)
		case len(secret.Data) == 0:
			f.ID, f.Message = "secret-empty", fmt.Sprintf("it is Ready, and its Secret %s has no keys", name)
			r.add(f)
		}
	}
	r.message = fmt.Sprintf("ready bindings in %s: %d, without credentials: %d", i.where(), ready, len(r.findings))
	return r, nil
}

// checkDeletions looks for objects that are being deleted for too long.
func checkDeletions(ctx context.Context, i *inspector) (result, error) {
	var r result
	checked := i.kinds()
	objects, unreadable, err := i.listAll(ctx, checked...)
	if err != nil {
		return r, err
	}
	if len(unreadable) == len(checked) {
		return skip("you may not list any of Bellhop's kinds")
	}
	for _, object := range objects {
		if f, ok := evaluateDeletion(object, i.now(), i.stuckAfter); ok {
			r.add(f)
		}
	}
	limit := duration.ShortHumanDuration(i.stuckAfter)
	r.message = fmt.Sprintf("deletions in %s that take longer than %s: %d", i.where(), limit, len(r.findings)) + withoutUnreadable(unreadable)
	return r, nil
}

// evaluateDeletion returns a finding about an object that is being deleted for longer than the limit, and false for another.
func evaluateDeletion(object cli.Object, now time.Time, limit time.Duration) (Finding, bool) {
	deleted := object.GetDeletionTimestamp()
	if deleted == nil || now.Sub(deleted.Time) < limit {
		return Finding{}, false
	}
	f := Finding{ID: "deletion-stuck", Severity: Problem, Object: kinds.Label(object), Namespace: object.GetNamespace()}
	health := cli.HealthOf(object)
	message := strings.Join(strings.Fields(health.Message), " ")
	f.Message = fmt.Sprintf("its deletion began at %s, and it has the finalizers %s", cli.Stamp(deleted.Time), strings.Join(object.GetFinalizers(), ", "))
	if health.Reason != "" {
		f.Message += ". " + strings.TrimSuffix(health.Reason+": "+message, ": ")
	}
	e := explainState(object, kinds.StateOf(object))
	if health.Reason != "" && e.Fix != "" {
		f.Fix = e.Fix + ". "
	}
	f.Fix += howToRelease(object)
	return f, true
}

// howToRelease is the command that ends a deletion and leaves the resource outside of the cluster.
func howToRelease(object cli.Object) string {
	namespace := ""
	if object.GetNamespace() != "" {
		namespace = "-n " + object.GetNamespace() + " "
	}
	const release = "To release it without a request to the broker: kubectl bellhop retain "
	switch object := object.(type) {
	case *servicecatalogv1beta1.ServiceInstance:
		return rules.HowToRetryRemoval("serviceinstance", object, object.Status.DeprovisionStatus == servicecatalogv1beta1.DeprovisionFailed) + release + namespace + object.Name
	case *servicecatalogv1beta1.ServiceBinding:
		return rules.HowToRetryRemoval("servicebinding", object, object.Status.UnbindStatus == servicecatalogv1beta1.UnbindFailed) + release + namespace + "--bindings " + object.Name
	case servicecatalogv1beta1.Broker:
		return "Delete or release its instances and bindings first; kubectl bellhop tree " + strings.ToLower(kinds.Label(object)) + " -A shows them"
	default:
		return fmt.Sprintf("To release it without a resolve notification: kubectl annotate %s%s %s=%s --overwrite", namespace, cli.ResourceName(object),
			servicecatalogv1beta1.DeletionPolicyAnnotation, servicecatalogv1beta1.DeletionPolicyRetain)
	}
}
