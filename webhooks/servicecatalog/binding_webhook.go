// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/util/jsonpath"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// As for instances. A changed spec is reverted, so that an update only has the operator's annotations to check.
// +kubebuilder:webhook:path=/mutate-servicecatalog-k8s-io-v1beta1-servicebinding,mutating=true,failurePolicy=fail,sideEffects=None,groups=servicecatalog.k8s.io,resources=servicebindings,verbs=create;update,versions=v1beta1,name=mservicebinding.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-or-own-annotations-change","expression":"request.operation == 'CREATE' || object.?spec != oldObject.?spec || ['made-id', 'deletion-policy', 'schema-policy', 'rebind', 'rotation-overlap-seconds', 'binding-type', 'binding-provider'].exists(a, object.metadata.?annotations[?'bellhop.gophernetes.io/' + a] != oldObject.metadata.?annotations[?'bellhop.gophernetes.io/' + a])"}]}`
// +kubebuilder:webhook:path=/validate-servicecatalog-k8s-io-v1beta1-servicebinding,mutating=false,failurePolicy=fail,sideEffects=None,groups=servicecatalog.k8s.io,resources=servicebindings,verbs=create;update,versions=v1beta1,name=vservicebinding.servicecatalog.k8s.io,admissionReviewVersions=v1,timeoutSeconds=5,patch=`{"matchConditions":[{"name":"spec-or-own-annotations-change","expression":"request.operation == 'CREATE' || object.?spec != oldObject.?spec || ['made-id', 'deletion-policy', 'schema-policy', 'rebind', 'rotation-overlap-seconds', 'binding-type', 'binding-provider'].exists(a, object.metadata.?annotations[?'bellhop.gophernetes.io/' + a] != oldObject.metadata.?annotations[?'bellhop.gophernetes.io/' + a])"}]}`

// bindingDefaulter sets the fields that would otherwise cost a write after the creation, and reverts changes of the spec.
type bindingDefaulter struct {
	decoder ctrladmission.Decoder
	now     func() time.Time
}

func (d bindingDefaulter) Default(ctx context.Context, b *v1beta1.ServiceBinding) error {
	old := &v1beta1.ServiceBinding{}
	updating, err := oldOf(ctx, d.decoder, old)
	if err != nil {
		return err
	}
	if updating {
		// A validator does not see the changes that are reverted.
		if paths := reverted(old, b); len(paths) > 0 {
			fields := make([]string, 0, len(paths))
			for _, path := range paths {
				fields = append(fields, path.String())
			}
			admission.Warn(ctx, fmt.Sprintf("%s: not changed, since the spec of a ServiceBinding is immutable: "+
				"delete it and create another one; for new credentials alone, change its annotation %s", strings.Join(fields, ", "), v1beta1.RebindAnnotation))
		}
		keepHold(old, b, !equality.Semantic.DeepEqual(old.Spec, b.Spec))
		keepRecord(old, b, old.Spec.ExternalID)
		old.Spec.ExternalID = cmp.Or(old.Spec.ExternalID, b.Spec.ExternalID)
		b.Spec = old.Spec
		return nil
	}
	controllerutil.AddFinalizer(b, v1beta1.Finalizer)
	giveID(b, &b.Spec.ExternalID, d.now())
	// A generated name is not known here: an empty secretName means the binding's name.
	b.Spec.SecretName = catalog.SecretName(b)
	b.Spec.UserInfo, err = requester(ctx)
	return err
}

// reverted returns the fields of a spec whose change is reverted. A manifest that replaces the object may omit fields that the
// operator has set.
func reverted(old, asked *v1beta1.ServiceBinding) (fields []*field.Path) {
	was, is := old.Spec, asked.Spec
	differs := func(name string, a, b any) {
		if !equality.Semantic.DeepEqual(a, b) {
			fields = append(fields, specPath.Child(name))
		}
	}
	differs("instanceRef", was.InstanceRef, is.InstanceRef)
	differs("parameters", was.Parameters, is.Parameters)
	differs("parametersFrom", was.ParametersFrom, is.ParametersFrom)
	differs("secretName", cmp.Or(was.SecretName, old.Name), cmp.Or(is.SecretName, old.Name))
	differs("secretTransforms", was.SecretTransforms, is.SecretTransforms)
	differs("externalID", cmp.Or(was.ExternalID, is.ExternalID), cmp.Or(is.ExternalID, was.ExternalID))
	return fields
}

// bindingValidator refuses errors that the schema cannot find, and warns of the blocker of the binding.
type bindingValidator struct {
	knowledge
	access admission.Reviewer
}

func (v bindingValidator) ValidateCreate(ctx context.Context, b *v1beta1.ServiceBinding) (ctrladmission.Warnings, error) {
	var f findings
	f.refuse(checkDeletionPolicy(nil, b)...)
	f.refuse(checkSchemaPolicy(nil, b)...)
	f.refuse(checkSize(b.Spec.Parameters)...)
	f.refuse(checkOverlap(nil, b)...)
	f.refuse(checkServiceNames(nil, b)...)
	f.refuse(present(checkRequester(ctx, b.Spec.UserInfo), checkRecord(nil, "", b, b.Spec.ExternalID))...)
	checkID(ctx, &f, v.knowledge, b, b.Spec.ExternalID, v.index.BindingsWithID)
	v.checkInstance(ctx, &f, b)
	copied := checkTransforms(&f, b)
	v.checkTarget(ctx, &f, b)
	v.checkUses(ctx, &f, v.access, b.Namespace, append(sourceUses(nil, b.Spec.ParametersFrom), copied...))
	return f.result("ServiceBinding", b.Name)
}

func (v bindingValidator) ValidateUpdate(ctx context.Context, old, b *v1beta1.ServiceBinding) (ctrladmission.Warnings, error) {
	var f findings
	for _, path := range reverted(old, b) {
		f.refuse(field.Forbidden(path, "field is immutable: delete the ServiceBinding and create another one"))
	}
	f.refuse(present(
		checkUser(b.Spec.UserInfo, old.Spec.UserInfo),
		checkRecord(old.Annotations, old.Spec.ExternalID, b, b.Spec.ExternalID),
		checkHold(old, b, !equality.Semantic.DeepEqual(old.Spec, b.Spec)))...)
	if old.Spec.ExternalID == "" && b.Spec.ExternalID != "" {
		checkID(ctx, &f, v.knowledge, b, b.Spec.ExternalID, v.index.BindingsWithID)
	}
	f.refuse(checkDeletionPolicy(old.Annotations, b)...)
	f.refuse(checkSchemaPolicy(old.Annotations, b)...)
	f.refuse(checkOverlap(old.Annotations, b)...)
	f.refuse(checkServiceNames(old.Annotations, b)...)
	return f.result("ServiceBinding", b.Name)
}

func (bindingValidator) ValidateDelete(context.Context, *v1beta1.ServiceBinding) (ctrladmission.Warnings, error) {
	return nil, nil
}

// checkOverlap refuses a new value of the annotation that is not a number of seconds.
func checkOverlap(old map[string]string, b *v1beta1.ServiceBinding) field.ErrorList {
	return checkNewValue(old, b, v1beta1.RotationOverlapAnnotation, func(value string) error {
		_, err := catalog.ParseRotationOverlap(value)
		return err
	})
}

// checkServiceNames refuses new values of the annotations for the keys type and provider that cannot be names.
func checkServiceNames(old map[string]string, b *v1beta1.ServiceBinding) field.ErrorList {
	return append(
		checkNewValue(old, b, v1beta1.BindingTypeAnnotation, catalog.CheckServiceName),
		checkNewValue(old, b, v1beta1.BindingProviderAnnotation, catalog.CheckServiceName)...)
}

// checkNewValue refuses a value of an annotation that is new and that check refuses; old has the annotations from before.
func checkNewValue(old map[string]string, b *v1beta1.ServiceBinding, annotation string, check func(value string) error) field.ErrorList {
	value, ok := b.Annotations[annotation]
	if before, had := old[annotation]; !ok || had && before == value {
		return nil
	}
	if err := check(value); err != nil {
		return field.ErrorList{field.Invalid(field.NewPath("metadata", "annotations").Key(annotation), value, err.Error())}
	}
	return nil
}

// checkInstance checks the instance and the parameters of a binding. It refuses an instance that is being deleted, and warns where no bind request
// will be sent, or not yet.
func (v bindingValidator) checkInstance(ctx context.Context, f *findings, b *v1beta1.ServiceBinding) {
	path, name := specPath.Child("instanceRef", "name"), b.Spec.InstanceRef.Name
	if !v.synced(ctx, &v1beta1.ServiceInstance{}) {
		f.warn("%s was not checked: Bellhop is still starting", path)
		return
	}
	i := &v1beta1.ServiceInstance{}
	err := v.index.Cache.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: name}, i)
	switch {
	case apierrors.IsNotFound(err):
		f.warn("%s: the ServiceBinding will wait: there is no ServiceInstance %q", path, name)
		return
	case err != nil:
		f.warn("%s was not checked: %s", path, err)
		return
	case !i.DeletionTimestamp.IsZero():
		f.refuse(field.Invalid(path, name, "must not be a ServiceInstance that is being deleted"))
		return
	}
	o := v.instanceOffer(ctx, i)
	if o.class == nil || o.plan == nil {
		return // the conditions of the instance say why
	}
	switch effective := catalog.EffectiveOf(o.class, o.plan); {
	case !effective.Bindable:
		f.warn("%s: the plan of ServiceInstance %q is not bindable: no bind request will be sent", path, name)
	case len(effective.Unsupported) > 0:
		f.warn("%s: the service of ServiceInstance %q requires %s, which Kubernetes cannot provide: no bind request will be sent", path, name, strings.Join(effective.Unsupported, ", "))
	case effective.SyslogDrain:
		f.warn("%s: the service of ServiceInstance %q requires syslog_drain: Kubernetes sends no logs there, and the key syslog_drain_url of the Secret has the URL", path, name)
	}
	switch {
	case len(checkSize(b.Spec.Parameters)) > 0:
		return // they are refused, and would take many times their size
	case !isObject(b.Spec.Parameters):
		f.warn("%s: is not an object: no bind request will be sent", parametersPath)
		return
	}
	checkParameters(ctx, f, b, o.plan, o.plan.Common().ServiceBindingCreateParameterSchema, b.Spec.Parameters, b.Spec.ParametersFrom)
}

// isObject reports whether parameters are an object. The schema does not require it, since bindings of the original service-catalog
// may have others.
func isObject(parameters *runtime.RawExtension) bool {
	return parameters == nil || json.Unmarshal(parameters.Raw, &map[string]json.RawMessage{}) == nil
}

// maxTransforms and maxExpression, in bytes, are the limits of the schema. The webhook's other clients are not subject to it, and the parser of
// expressions recurses.
const maxTransforms, maxExpression = 64, 4 * 4096

// checkTransforms refuses transforms that cannot be applied. It returns the Secrets that they copy from.
func checkTransforms(f *findings, b *v1beta1.ServiceBinding) (uses []secretUse) {
	if n := len(b.Spec.SecretTransforms); n > maxTransforms {
		f.refuse(field.TooMany(specPath.Child("secretTransforms"), n, maxTransforms))
		return nil
	}
	for i, t := range b.Spec.SecretTransforms {
		path := specPath.Child("secretTransforms").Index(i)
		switch {
		case t.AddKey != nil:
			f.refuse(checkKey(path.Child("addKey", "key"), t.AddKey.Key)...)
			if e := t.AddKey.JSONPathExpression; e != nil {
				checkExpression(f, path.Child("addKey", "jsonPathExpression"), *e)
			}
		case t.RenameKey != nil:
			f.refuse(named(path.Child("renameKey", "from"), t.RenameKey.From)...)
			f.refuse(checkKey(path.Child("renameKey", "to"), t.RenameKey.To)...)
		case t.RemoveKey != nil:
			f.refuse(named(path.Child("removeKey", "key"), t.RemoveKey.Key)...)
		case t.AddKeysFrom != nil && t.AddKeysFrom.SecretRef != nil:
			ref, path := t.AddKeysFrom.SecretRef, path.Child("addKeysFrom", "secretRef")
			f.refuse(checkSecretName(path.Child("name"), ref.Name)...)
			if ref.Namespace != "" && ref.Namespace != b.Namespace {
				f.refuse(field.Invalid(path.Child("namespace"), ref.Namespace, fmt.Sprintf("must be left out, or be the binding's own: %q", b.Namespace)))
			}
			uses = append(uses, secretUse{path.Child("name"), ref.Name, "the credentials are not written until it does"})
		}
	}
	return uses
}

// checkExpression warns of a valid expression that is not a path.
func checkExpression(f *findings, path *field.Path, expression string) {
	if len(expression) > maxExpression {
		f.refuse(field.TooLong(path, "", maxExpression))
	} else if _, err := jsonpath.Parse("", expression); err != nil {
		f.refuse(field.Invalid(path, expression, err.Error()))
	} else if !strings.Contains(expression, "{") {
		f.warn("%s: the key gets %q as it stands: a path is in braces, as {.uri}", path, expression)
	}
}

// named refuses an empty key. The schema requires the key, but the defaulting webhook has written an empty one before.
func named(path *field.Path, key string) field.ErrorList {
	if key == "" {
		return field.ErrorList{field.Required(path, "must be a key of the credentials")}
	}
	return nil
}

func checkKey(path *field.Path, key string) (errs field.ErrorList) {
	return checkName(path, key, "must be a key of a Secret", validation.IsConfigMapKey)
}

// checkTarget warns of an existing Secret of the name, which the new binding cannot own.
func (v bindingValidator) checkTarget(ctx context.Context, f *findings, b *v1beta1.ServiceBinding) {
	name := types.NamespacedName{Namespace: b.Namespace, Name: catalog.SecretName(b)}
	if name.Name == "" || !v.synced(ctx, apiserver.Metadata("Secret")) || v.index.Cache.Get(ctx, name, apiserver.Metadata("Secret")) != nil {
		return
	}
	f.warn("spec.secretName: Secret %q already exists and is not owned by this ServiceBinding: it is left as it is, and the ServiceBinding waits until it is deleted", name.Name)
}
