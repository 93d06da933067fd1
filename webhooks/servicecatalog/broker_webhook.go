// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Metadata-only updates, such as the removal of a finalizer, and deletions do not reach the webhook, and pass while the operator is
// down.
// +kubebuilder:webhook:path=/mutate-servicecatalog-k8s-io-v1beta1-clusterservicebroker,mutating=true,failurePolicy=fail,sideEffects=None,groups=servicecatalog.k8s.io,resources=clusterservicebrokers,verbs=create;update,versions=v1beta1,name=mclusterservicebroker.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-changes","expression":"request.operation == 'CREATE' || object.?spec != oldObject.?spec"}]}`
// +kubebuilder:webhook:path=/mutate-servicecatalog-k8s-io-v1beta1-servicebroker,mutating=true,failurePolicy=fail,sideEffects=None,groups=servicecatalog.k8s.io,resources=servicebrokers,verbs=create;update,versions=v1beta1,name=mservicebroker.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-changes","expression":"request.operation == 'CREATE' || object.?spec != oldObject.?spec"}]}`
// +kubebuilder:webhook:path=/validate-servicecatalog-k8s-io-v1beta1-clusterservicebroker,mutating=false,failurePolicy=fail,sideEffects=None,groups=servicecatalog.k8s.io,resources=clusterservicebrokers,verbs=create;update,versions=v1beta1,name=vclusterservicebroker.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-changes","expression":"request.operation == 'CREATE' || object.?spec != oldObject.?spec"}]}`
// +kubebuilder:webhook:path=/validate-servicecatalog-k8s-io-v1beta1-servicebroker,mutating=false,failurePolicy=fail,sideEffects=None,groups=servicecatalog.k8s.io,resources=servicebrokers,verbs=create;update,versions=v1beta1,name=vservicebroker.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-changes","expression":"request.operation == 'CREATE' || object.?spec != oldObject.?spec"}]}`
// +kubebuilder:webhook:path=/validate-servicecatalog-k8s-io-v1beta1-clusterservicebroker,mutating=false,failurePolicy=ignore,sideEffects=None,groups=servicecatalog.k8s.io,resources=clusterservicebrokers,verbs=delete,versions=v1beta1,name=vclusterservicebroker-delete.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5
// +kubebuilder:webhook:path=/validate-servicecatalog-k8s-io-v1beta1-servicebroker,mutating=false,failurePolicy=ignore,sideEffects=None,groups=servicecatalog.k8s.io,resources=servicebrokers,verbs=delete,versions=v1beta1,name=vservicebroker-delete.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5

// brokerDefaulter is the defaulter of both kinds of broker.
type brokerDefaulter[B v1beta1.Broker] struct{ decoder ctrladmission.Decoder }

func (d brokerDefaulter[B]) Default(ctx context.Context, b B) error {
	old := b.DeepCopyObject().(B)
	updating, err := oldOf(ctx, d.decoder, old)
	if err != nil {
		return err
	}
	spec, before := b.Common(), old.Common()
	if !updating {
		controllerutil.AddFinalizer(b, v1beta1.Finalizer)
		if spec.RelistBehavior == "" {
			spec.RelistBehavior = v1beta1.RelistDuration
		}
		return nil
	}
	// matchConditions let only changes of the spec through, also those by omission.
	keepHold(old, b, true)
	if spec.RelistRequests == 0 {
		spec.RelistRequests = before.RelistRequests
	}
	if spec.RelistBehavior == "" {
		spec.RelistBehavior = before.RelistBehavior
	}
	return nil
}

// brokerValidator refuses errors that the schema cannot find: credentials and the parameters of all users are sent to a broker.
type brokerValidator[B v1beta1.Broker] struct {
	knowledge
	access  admission.Reviewer
	options Options
}

func (v brokerValidator[B]) ValidateCreate(ctx context.Context, b B) (ctrladmission.Warnings, error) {
	return v.validate(ctx, &v1beta1.CommonServiceBrokerSpec{}, b)
}

// ValidateUpdate also checks a broker that is being deleted: it is used until its instances are gone.
func (v brokerValidator[B]) ValidateUpdate(ctx context.Context, old, b B) (ctrladmission.Warnings, error) {
	if err := checkHold(old, b, true); err != nil {
		return (&findings{errs: field.ErrorList{err}}).result(catalog.ScopeOf(b).BrokerKind(), b.GetName())
	}
	warnings, err := v.validate(ctx, old.Common(), b)
	return append(warnings, v.warnOfMove(ctx, old, b)...), err
}

// warnOfMove warns of the consequences of a new address for the instances and bindings of the broker.
func (v brokerValidator[B]) warnOfMove(ctx context.Context, old, b B) ctrladmission.Warnings {
	former := catalog.NormalizeAddress(old.Common().URL)
	isConfirmed := slices.Contains(catalog.FormerAddresses(b), former)
	if isConfirmed || former == catalog.NormalizeAddress(b.Common().URL) || !v.synced(ctx, &v1beta1.ServiceInstance{}, &v1beta1.ServiceBinding{}) {
		return nil
	}
	instances, errInstances := v.index.InstancesOfBroker(ctx, b)
	bindings, errBindings := v.index.BindingsOfBroker(ctx, b)
	if errors.Join(errInstances, errBindings) != nil || len(instances)+len(bindings) == 0 {
		return nil // a warning is not worth a refusal
	}
	return ctrladmission.Warnings{fmt.Sprintf("spec.url: the broker has %s and %s that were requested at the former address. If the new address leads to the same broker, set the annotation %s=%s; otherwise a deletion that the new address answers with 410 Gone waits with the reason %s",
		rules.Count(len(instances), "ServiceInstance", "ServiceInstances"), rules.Count(len(bindings), "ServiceBinding", "ServiceBindings"), v1beta1.MovedFromAnnotation, former, v1beta1.ReasonBrokerMoved)}
}

// ValidateDelete warns of the instances that the deletion of the broker waits for.
func (v brokerValidator[B]) ValidateDelete(ctx context.Context, b B) (ctrladmission.Warnings, error) {
	if !v.synced(ctx, &v1beta1.ServiceInstance{}) {
		return nil, nil
	}
	instances, err := v.index.InstancesOfBroker(ctx, b)
	if err != nil || len(instances) == 0 {
		return nil, nil //nolint:nilerr // a warning is not worth a refusal
	}
	return ctrladmission.Warnings{fmt.Sprintf("%s %q stays until its ServiceInstances are gone: %s", catalog.ScopeOf(b).BrokerKind(), b.GetName(), someNames(instances))}, nil
}

// validate checks the differences from the old spec: existing values are not refused because of another change.
func (v brokerValidator[B]) validate(ctx context.Context, old *v1beta1.CommonServiceBrokerSpec, b B) (ctrladmission.Warnings, error) {
	var f findings
	spec := b.Common()
	v.checkAddresses(&f, old, b)
	if len(spec.CABundle) > 0 && !slices.Equal(old.CABundle, spec.CABundle) && !x509.NewCertPool().AppendCertsFromPEM(spec.CABundle) {
		f.refuse(field.Invalid(specPath.Child("caBundle"), field.OmitValueType{}, "must have a certificate in PEM form, from -----BEGIN CERTIFICATE----- on"))
	}
	if !equality.Semantic.DeepEqual(old.CatalogRestrictions, spec.CatalogRestrictions) {
		_, wrong := catalog.ParseRestrictions(spec.CatalogRestrictions, catalog.ScopeOf(b))
		f.refuse(wrong...)
	}
	if !equality.Semantic.DeepEqual(old.AuthInfo, spec.AuthInfo) {
		f.refuse(checkSecretRefs(b)...)
	}
	secrets := v1beta1.AuthSecrets(b)
	fields := slices.Sorted(maps.Keys(secrets))
	if len(f.errs) == 0 {
		if err := v.checkSecrets(ctx, old, b); err != nil {
			f.refuse(err)
		}
	}
	for _, name := range fields {
		if secret := secrets[name]; v.lacksSecret(ctx, secret) {
			f.warn("%s: Secret %q does not exist in namespace %q: the broker waits until it does", authPath(name), secret.Name, secret.Namespace)
		}
	}
	return f.result(catalog.ScopeOf(b).BrokerKind(), b.GetName())
}

// checkSecrets checks that the user may get the Secrets that are sent to the broker: its credentials, the parameters of its instances, also of a
// former broker of its name, and the parameters of instances whose class it may offer.
func (v brokerValidator[B]) checkSecrets(ctx context.Context, old *v1beta1.CommonServiceBrokerSpec, b B) *field.Error {
	moves := leadsElsewhere(old, b.Common())
	if !moves && equality.Semantic.DeepEqual(old.CatalogRestrictions, b.Common().CatalogRestrictions) {
		return nil
	}
	path := specPath.Child("catalogRestrictions")
	var uses []admission.SecretUse
	instances, err := v.index.InstancesWaitingForBroker(ctx, b)
	if moves {
		path = specPath.Child("url")
		secrets := v1beta1.AuthSecrets(b)
		for _, name := range slices.Sorted(maps.Keys(secrets)) {
			uses = append(uses, admission.SecretUse{Secret: secrets[name], Path: authPath(name).Child("name")})
		}
		own, errOwn := v.index.InstancesOfBroker(ctx, b)
		instances, err = append(own, instances...), errors.Join(err, errOwn)
	}
	parameters, errParameters := v.parameterSecrets(ctx, path, instances)
	if err := errors.Join(err, errParameters); err != nil {
		return field.InternalError(path, fmt.Errorf("looking up the parameters that the broker is sent: %w", err))
	}
	return v.access.MayGetSecrets(ctx, append(uses, parameters...))
}

// leadsElsewhere reports whether an update changes where credentials are sent, which ones, or how they are protected.
func leadsElsewhere(old, spec *v1beta1.CommonServiceBrokerSpec) bool {
	return old.URL != spec.URL || old.InsecureSkipTLSVerify != spec.InsecureSkipTLSVerify ||
		!slices.Equal(old.CABundle, spec.CABundle) || !equality.Semantic.DeepEqual(old.AuthInfo, spec.AuthInfo)
}

func authPath(name string) *field.Path { return specPath.Child("authInfo", name, "secretRef") }

// checkSecretRefs checks the references to Secrets. The Secrets of a ServiceBroker are in its namespace.
func checkSecretRefs(b v1beta1.Broker) (errs field.ErrorList) {
	for name, ref := range authRefs(b.Common().AuthInfo) {
		path := authPath(name)
		errs = append(errs, checkSecretName(path.Child("name"), ref.Name)...)
		switch {
		case catalog.ScopeOf(b) == catalog.Cluster:
			errs = append(errs, checkName(path.Child("namespace"), ref.Namespace, "a ClusterServiceBroker sets the namespace of its Secret", validation.IsDNS1123Label)...)
		case ref.Namespace != "" && ref.Namespace != b.GetNamespace():
			errs = append(errs, field.Invalid(path.Child("namespace"), ref.Namespace, fmt.Sprintf("must be left out, or be the broker's own: %q", b.GetNamespace())))
		}
	}
	return errs
}

func checkSecretName(path *field.Path, name string) field.ErrorList {
	return checkName(path, name, "must name a Secret", validation.IsDNS1123Subdomain)
}

// checkName checks a name; missing describes the name that is required.
func checkName(path *field.Path, name, missing string, check func(string) []string) (errs field.ErrorList) {
	if name == "" {
		return field.ErrorList{field.Required(path, missing)}
	}
	for _, message := range check(name) {
		errs = append(errs, field.Invalid(path, name, message))
	}
	return errs
}

// authRefs returns the references to Secrets in authInfo, by their fields.
func authRefs(auth *v1beta1.AuthInfo) map[string]v1beta1.ObjectReference {
	// The messages for a cluster-scoped broker name every reference in full.
	used := v1beta1.AuthSecrets(&v1beta1.ClusterServiceBroker{Spec: v1beta1.ClusterServiceBrokerSpec{CommonServiceBrokerSpec: v1beta1.CommonServiceBrokerSpec{AuthInfo: auth}}})
	refs := make(map[string]v1beta1.ObjectReference, len(used))
	for name, secret := range used {
		refs[name] = v1beta1.ObjectReference{Namespace: secret.Namespace, Name: secret.Name}
	}
	return refs
}

// maxNames bounds the objects that a warning names.
const maxNames = 5

// someNames lists the first names of objects, and counts the others.
func someNames[T interface {
	GetNamespace() string
	GetName() string
}](objs []T) string {
	var names []string
	for _, obj := range objs {
		names = append(names, types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}.String())
	}
	slices.Sort(names)
	rest := ""
	if n := len(names); n > maxNames {
		names, rest = names[:maxNames], fmt.Sprintf(" and %d more", n-maxNames)
	}
	return strings.Join(names, ", ") + rest
}
