// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/pagebylabel"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/rights"
	"github.com/gophernetes/bellhop/docs"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

var pageOfWatching = docs.URL("how-to/alerts/alert-about-failing-objects.md")

// watching has the objects that the check of watched objects has read.
type watching struct {
	operator *pagebylabel.Operator // nil: its flags are not known
	objects  []cli.Object
	// unknown are the objects that the operator cannot judge, by the reason.
	unknown map[pagebylabel.UnknownHealth][]cli.Object
	// unserved are resources that the API server does not have, and unreadable resources that the user may not list.
	unserved   []healthrules.Watched
	unreadable []string
	// unchecked are further things that the user may not read.
	unchecked []string
}

// checkWatched looks for objects with the label about which the operator sends no Alert.
func checkWatched(ctx context.Context, i *inspector) (result, error) {
	operator, err := pagebylabel.Find(ctx, i.apps, i.operatorNamespace)
	if err != nil && !isForbidden(err) {
		return result{}, err
	}
	watched, err := healthrules.ParseWatched("")
	if err != nil {
		return result{}, err
	}
	w := &watching{operator: operator, unknown: map[pagebylabel.UnknownHealth][]cli.Object{}}
	if operator != nil && len(operator.Watched) > 0 {
		watched = operator.Watched
	}
	watched = i.installedOnly(watched)
	if err := w.list(ctx, i, watched); err != nil {
		return result{}, err
	}
	if len(watched) > 0 && len(w.unreadable) == len(watched) {
		return skip("you may not list %s", strings.Join(w.unreadable, ", "))
	}
	var r result
	r.findings = slices.Concat(evaluateAsks(w.objects), evaluateFlags(operator, w.objects), w.evaluateUnknown(), w.evaluateUnserved())
	for _, check := range []func(context.Context, *inspector) ([]Finding, error){w.checkConsent, w.checkOperatorRights} {
		findings, err := check(ctx, i)
		if err != nil {
			return result{}, err
		}
		r.findings = append(r.findings, findings...)
	}
	r.message = fmt.Sprintf("objects in %s with the label %s: %d, findings: %d", i.where(), healthrules.Selector, len(w.objects), len(r.findings))
	r.message += withoutUnreadable(w.unreadable)
	if len(w.unchecked) > 0 {
		r.message += "; not checked, as you lack the right: " + strings.Join(w.unchecked, ", ")
	}
	return r, nil
}

// installedOnly returns the watched resources without resources of Bellhop's API groups that are not installed.
func (i *inspector) installedOnly(watched []healthrules.Watched) []healthrules.Watched {
	return slices.DeleteFunc(slices.Clone(watched), func(w healthrules.Watched) bool { return slices.Contains(cli.Groups, w.Group) && !i.hasGroup(w.Group) })
}

// list reads the objects with the label.
func (w *watching) list(ctx context.Context, i *inspector, watched []healthrules.Watched) error {
	for _, resource := range watched {
		version, err := pagebylabel.VersionOf(resource.GroupVersionResource, i.Connection.ToRESTMapper)
		if err == nil {
			var list *unstructured.UnstructuredList
			if list, err = i.dynamic.Resource(version).Namespace(i.namespace).List(ctx, metav1.ListOptions{LabelSelector: healthrules.Selector}); err == nil {
				w.add(list, resource.Failures, i.now())
			}
		}
		switch {
		case isForbidden(err):
			w.unreadable = append(w.unreadable, resource.Resource)
		case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
			w.unserved = append(w.unserved, resource)
		case err != nil:
			return err
		}
	}
	return nil
}

// add adds objects, and, to unknown, objects that the operator cannot judge.
func (w *watching) add(list *unstructured.UnstructuredList, failures []healthrules.Sign, now time.Time) {
	for n := range list.Items {
		object := &list.Items[n]
		w.objects = append(w.objects, object)
		if unknown := pagebylabel.Unknown(object, failures, now); unknown != nil {
			w.unknown[*unknown] = append(w.unknown[*unknown], object)
		}
	}
}

// evaluateUnknown reports objects whose status has nothing by which the operator could judge them.
func (w *watching) evaluateUnknown() []Finding {
	var findings []Finding
	for _, unknown := range slices.SortedFunc(maps.Keys(w.unknown), pagebylabel.UnknownHealth.Compare) {
		objects := w.unknown[unknown]
		findings = append(findings, Finding{
			ID: "watched-health-unknown", Severity: Problem, Object: kinds.Label(objects[0]), Namespace: objects[0].GetNamespace(),
			Message: fmt.Sprintf("%s; no Alert is sent, whatever happens, about %s", unknown.Message, kinds.Labels(objects)),
			Fix:     unknown.Remedy + "; see " + pageOfWatching,
		})
	}
	return findings
}

// evaluateAsks reports annotations that the operator cannot read.
func evaluateAsks(objects []cli.Object) []Finding {
	var findings []Finding
	for _, object := range objects {
		kind := object.GetObjectKind().GroupVersionKind()
		if _, _, err := healthrules.ParseAsk(object, kind.Kind); err != nil {
			findings = append(findings, Finding{
				ID: "watched-annotation-invalid", Severity: Problem, Object: kinds.Label(object), Namespace: object.GetNamespace(),
				Message: err.Error() + "; no Alert is sent about the object",
				Fix: fmt.Sprintf("set it with --to, --after or --severity of kubectl bellhop watch -n %s %s", object.GetNamespace(),
					cli.ResourceName(object)),
			})
		}
	}
	return findings
}

// evaluateFlags reports objects that the operator does not watch because of its flags.
func evaluateFlags(operator *pagebylabel.Operator, objects []cli.Object) []Finding {
	if operator == nil || len(objects) == 0 {
		return nil
	}
	f := Finding{Severity: Problem, Object: "Deployment/" + operator.Deployment, Namespace: operator.Namespace}
	if len(operator.Watched) == 0 {
		f.ID = "watched-by-no-operator"
		f.Message = "it runs without --page-by-label, so that no Alert is sent about " + kinds.Labels(objects)
		f.Fix = "add the component config/page-by-label, or set pageByLabel.enabled of the Helm chart; see " + pageOfWatching
		return []Finding{f}
	}
	unserved := slices.DeleteFunc(slices.Clone(objects), func(object cli.Object) bool {
		return len(operator.Namespaces) == 0 || slices.Contains(operator.Namespaces, object.GetNamespace())
	})
	if len(unserved) == 0 {
		return nil
	}
	f.ID = "watched-namespace-not-served"
	f.Message = fmt.Sprintf("it serves other namespaces (--namespaces=%s), so that no Alert is sent about %s", strings.Join(operator.Namespaces, ","), kinds.Labels(unserved))
	f.Fix = "add the namespace to --namespaces, or remove the label: kubectl bellhop unwatch KIND/NAME"
	return []Finding{f}
}

// evaluateUnserved reports resources of --page-kinds that do not exist.
func (w *watching) evaluateUnserved() []Finding {
	if w.operator == nil {
		return nil
	}
	var findings []Finding
	for _, resource := range w.unserved {
		text := healthrules.FormatResource(resource.GroupVersionResource)
		findings = append(findings, Finding{
			ID: "watched-kind-not-served", Severity: Warning, Object: "Deployment/" + w.operator.Deployment, Namespace: w.operator.Namespace,
			Message: "it watches " + text + ", which the API server does not serve",
			Fix:     "install its CustomResourceDefinition, or correct --page-kinds; the version has to be one that is served",
		})
	}
	return findings
}

// checkConsent reports the Namespaces of objects that do not consent.
func (w *watching) checkConsent(ctx context.Context, i *inspector) ([]Finding, error) {
	byNamespace := map[string][]cli.Object{}
	for _, object := range w.objects {
		byNamespace[object.GetNamespace()] = append(byNamespace[object.GetNamespace()], object)
	}
	if len(byNamespace) == 0 {
		return nil, nil
	}
	consenting, err := i.namespacesWith(ctx, healthrules.ConsentSelector)
	if isForbidden(err) {
		w.unchecked = append(w.unchecked, "the consent of Namespaces")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) {
		if !consenting[namespace] {
			findings = append(findings, Finding{
				ID: "watched-without-consent", Severity: Problem, Object: "Namespace/" + namespace,
				Message: fmt.Sprintf("it has no label %s, so that no Alert is sent about %s", healthrules.ConsentSelector, kinds.Labels(byNamespace[namespace])),
				Fix:     cli.LabelNamespaceCommand(namespace, healthrules.ConsentSelector),
			})
		}
	}
	return findings, nil
}

// checkOperatorRights reports rights that the operator lacks to watch objects.
func (w *watching) checkOperatorRights(ctx context.Context, i *inspector) ([]Finding, error) {
	if w.operator == nil || len(w.operator.Watched) == 0 {
		return nil, nil
	}
	var findings []Finding
	for _, needed := range rightsOfWatching(i.installedOnly(w.operator.Watched)) {
		missing, err := w.operator.MissingVerbs(ctx, i.authorization, needed.Verbs, authorizationv1.ResourceAttributes{Group: needed.Group, Resource: needed.Resource})
		if isForbidden(err) {
			w.unchecked = append(w.unchecked, "the rights of the operator")
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if len(missing) > 0 {
			findings = append(findings, Finding{
				ID: "watched-right-missing", Severity: Problem, Object: "ServiceAccount/" + w.operator.ServiceAccount, Namespace: w.operator.Namespace,
				Message: fmt.Sprintf("the operator may not %s %s, which it needs to send Alerts about objects with the label", strings.Join(missing, ", "), needed),
				Fix:     "add a rule to the ClusterRole or the Role bellhop-page-by-label-role, or add the kind to pageByLabel.kinds of the Helm chart; see " + pageOfWatching,
			})
		}
	}
	return findings, nil
}

// rightsOfWatching are the rights that the operator needs: the rules of config/page-by-label, and reads of the resources in its flags.
func rightsOfWatching(watched []healthrules.Watched) []rights.Right {
	needed := []rights.Right{
		rights.Of(kinds.Alert, "create"),
		{Resource: "events", Verbs: []string{"list"}},
		{Resource: "pods", Verbs: []string{"list"}},
		{Group: "storage.k8s.io", Resource: "storageclasses", Verbs: []string{"get"}},
	}
	for _, resource := range watched {
		needed = append(needed, rights.Right{Group: resource.Group, Resource: resource.Resource, Verbs: []string{"list", "watch"}})
	}
	return needed
}
