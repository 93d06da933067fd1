// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// identify writes name, kind and properties of an object.
func (d *describer) identify(ctx context.Context, t *text, object cli.Object) error {
	t.field("Name", object.GetName())
	t.field("Namespace", object.GetNamespace())
	gvk := object.GetObjectKind().GroupVersionKind()
	t.field("Kind", gvk.Kind+" ("+gvk.Group+")")
	created := object.GetCreationTimestamp()
	t.field("Created", since(&created))
	t.field("Deleted", since(object.GetDeletionTimestamp()))
	t.field("Deletion policy", object.GetAnnotations()[servicecatalogv1beta1.DeletionPolicyAnnotation])
	switch o := object.(type) {
	case *pagerv1beta1.Alert:
		identifyAlert(t, o)
	case *pagerv1beta1.AlertSource:
		identifySource(t, o)
	case pagerv1beta1.ReceiverObject:
		identifyReceiver(t, o)
	case servicecatalogv1beta1.Broker:
		identifyBroker(t, o)
	case *servicecatalogv1beta1.ServiceInstance:
		return d.identifyInstance(ctx, t, o)
	case *servicecatalogv1beta1.ServiceBinding:
		identifyBinding(t, o)
	}
	return nil
}

func identifyAlert(t *text, alert *pagerv1beta1.Alert) {
	t.field("Title", alert.Spec.Title)
	t.field("Content", alert.Spec.Content)
	t.field("Severity", string(alert.Spec.Severity))
	t.field("State", string(alert.Spec.State))
	var receivers []string
	for _, ref := range alert.Spec.ReceiverRefs {
		receivers = append(receivers, string(ref.Kind)+"/"+ref.Name)
	}
	if len(receivers) == 0 {
		receivers = []string{"the default receiver"}
	}
	t.field("Receivers", strings.Join(receivers, ", "))
	t.field("Confirmed", alert.Status.Receivers)
	t.field("Finished", since(alert.Status.FinishedTime))
	t.field("Expires after", seconds(alert.Spec.ExpireAfterSeconds))
	t.field("Kept for", seconds(alert.Spec.TTLSecondsAfterFinished))
}

func identifySource(t *text, source *pagerv1beta1.AlertSource) {
	if source.Spec.SecretRef != nil {
		t.field("Secret", source.Spec.SecretRef.Name)
	}
	t.field("Grouped by", strings.Join(source.Spec.GroupBy, ", "))
	t.field("Severity label", source.Spec.SeverityLabel)
	var receivers []string
	for _, ref := range source.Spec.ReceiverRefs {
		receivers = append(receivers, string(ref.Kind)+"/"+ref.Name)
	}
	t.field("Receivers", cmp.Or(strings.Join(receivers, ", "), "the default receiver"))
	if source.Spec.SilentAfterSeconds > 0 {
		t.field("Silent after", seconds(&source.Spec.SilentAfterSeconds))
	}
	t.field("Alerts that fire", fmt.Sprintf("%d of at most %d", source.Status.Firing, source.Spec.MaxAlerts))
	t.field("Last received", cmp.Or(since(source.Status.LastReceivedTime), "never"))
}

func seconds(n *int32) string {
	if n == nil {
		return ""
	}
	return fmt.Sprintf("%d seconds", *n)
}

func identifyReceiver(t *text, receiver pagerv1beta1.ReceiverObject) {
	spec, status := receiver.Common(), receiver.CommonStatus()
	t.field("Provider", providerOf(spec.Provider))
	if spec.SecretRef != nil {
		where := receiver.GetNamespace()
		if where == "" {
			where = "the operator's namespace"
		}
		t.field("Secret", fmt.Sprintf("%s, in %s", spec.SecretRef.Name, where))
	}
	if receiver.GetAnnotations()[pagerv1beta1.DefaultReceiverAnnotation] == "true" {
		t.field("Default", "true")
	}
	if shared, ok := receiver.(*pagerv1beta1.ClusterReceiver); ok {
		t.field("Namespaces", namespacesOf(shared.Spec.NamespaceSelector))
		t.field("Namespace limit", rateOf(shared.Spec.NamespaceRateLimit))
	}
	t.field("Delivery policy", string(spec.DeliveryPolicy))
	t.field("Minimum severity", string(spec.MinSeverity))
	t.field("Rate limit", rateOf(spec.RateLimit))
	if spec.Suspend {
		t.field("Suspended", "true")
	}
	t.field("Alerts waiting", fmt.Sprint(status.Waiting))
	t.field("Last delivery", since(status.LastDeliveryTime))
	t.field("Last error", strings.TrimSpace(since(status.LastErrorTime)+"\n"+status.LastError))
}

// providerOf is the name of the provider that is set, as the spec calls it.
func providerOf(provider pagerv1beta1.Provider) string {
	value := reflect.ValueOf(provider)
	for i := range value.NumField() {
		if field := value.Field(i); field.Kind() == reflect.Pointer && !field.IsNil() {
			name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
			return name
		}
	}
	return ""
}

// namespacesOf says which namespaces may use a ClusterReceiver.
func namespacesOf(selector *metav1.LabelSelector) string {
	switch {
	case selector == nil:
		return "none"
	case len(selector.MatchLabels)+len(selector.MatchExpressions) == 0:
		return "all"
	default:
		return "those with the labels " + metav1.FormatLabelSelector(selector)
	}
}

func rateOf(limit *pagerv1beta1.RateLimit) string {
	if limit == nil {
		return ""
	}
	return fmt.Sprintf("%d messages in %d seconds", limit.Count, limit.PeriodSeconds)
}

func identifyBroker(t *text, broker servicecatalogv1beta1.Broker) {
	spec, status := broker.Common(), broker.CommonStatus()
	t.field("URL", spec.URL)
	for _, field := range []string{"basic", "bearer", "oauth2", "clientCertificate"} {
		if secret, ok := servicecatalogv1beta1.AuthSecrets(broker)[field]; ok {
			t.field("Credentials", fmt.Sprintf("%s, in Secret %s of namespace %s", field, secret.Name, secret.Namespace))
		}
	}
	if spec.InsecureSkipTLSVerify {
		t.field("TLS", "the broker's certificate is not checked (spec.insecureSkipTLSVerify)")
	}
	t.field("API version", status.APIVersion)
	if status.LastCatalogRetrievalTime != nil {
		t.field("Catalog", fmt.Sprintf("%d classes, %d plans", status.ServiceClasses, status.ServicePlans))
		t.field("Catalog read", since(status.LastCatalogRetrievalTime))
	}
}

func (d *describer) identifyInstance(ctx context.Context, t *text, instance *servicecatalogv1beta1.ServiceInstance) error {
	class, plan, err := d.classAndPlan(ctx, instance)
	if err != nil {
		return err
	}
	t.field("Class", class)
	t.field("Plan", plan)
	if broker := instance.Status.Broker; broker != nil {
		t.field("Broker", broker.Kind+"/"+broker.Name)
	}
	t.field("External id", cmp.Or(instance.Status.ExternalID, instance.Spec.ExternalID))
	t.field("Left behind", leftBehind(instance.Status.LeftBehind))
	if url := instance.Status.DashboardURL; url != nil {
		t.field("Dashboard", *url)
	}
	if known := instance.Status.ExternalProperties; known != nil {
		t.field("Service version", known.MaintenanceVersion)
	}
	t.field("Provisioned", string(instance.Status.ProvisionStatus))
	return nil
}

// classAndPlan are the names in the broker's catalog, where they can be read, else the names in the spec.
func (d *describer) classAndPlan(ctx context.Context, instance *servicecatalogv1beta1.ServiceInstance) (class, plan string, err error) {
	class, plan = instance.Status.UserSpecifiedClassName, instance.Status.UserSpecifiedPlanName
	if reference, errs := catalog.ReferenceOf(instance.Spec.PlanReference); len(errs) == 0 {
		class, plan = cmp.Or(reference.Class, class), cmp.Or(reference.Plan, plan)
	}
	kind, name := kinds.ClusterServicePlan, ""
	switch {
	case instance.Spec.ClusterServicePlanRef != nil:
		name = instance.Spec.ClusterServicePlanRef.Name
	case instance.Spec.ServicePlanRef != nil:
		kind, name = kinds.ServicePlan, instance.Spec.ServicePlanRef.Name
	}
	if name == "" {
		return class, plan, nil
	}
	object, err := kind.Get(ctx, d.clients, instance.Namespace, name)
	if err != nil {
		return class, plan, d.ignoreUnreadable(err, kind)
	}
	found := object.(servicecatalogv1beta1.Plan)
	plan = found.Common().ExternalName
	classKind := kinds.ClusterServiceClass
	if kind == kinds.ServicePlan {
		classKind = kinds.ServiceClass
	}
	if object, err = classKind.Get(ctx, d.clients, instance.Namespace, found.ClassName()); err != nil {
		return class, plan, d.ignoreUnreadable(err, classKind)
	}
	return object.(servicecatalogv1beta1.Class).Common().ExternalName, plan, nil
}

// leftBehind lists the ids under which failed requests may have left something at the broker, and when its removal was last attempted.
func leftBehind(left []servicecatalogv1beta1.LeftBehind) string {
	var ids []string
	for _, l := range left {
		ids = append(ids, fmt.Sprintf("%s (removal last attempted %s)", l.ID, since(&l.LastTime)))
	}
	return strings.Join(ids, ", ")
}

func identifyBinding(t *text, binding *servicecatalogv1beta1.ServiceBinding) {
	t.field("Instance", binding.Spec.InstanceRef.Name)
	t.field("Secret", catalog.SecretName(binding))
	if target := binding.Status.Target; target != nil {
		t.field("Broker", target.Kind+"/"+target.Name)
	}
	t.field("External id", cmp.Or(binding.Status.ExternalID, binding.Spec.ExternalID))
	t.field("Left behind", leftBehind(binding.Status.LeftBehind))
	t.field("Credentials end", due(binding.Status.ExpiresAt))
	t.field("To be replaced", due(binding.Status.RenewBefore))
}
