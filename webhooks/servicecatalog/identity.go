// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// annotationPrefix is the prefix of the operator's annotations.
const annotationPrefix = "bellhop.gophernetes.io/"

// oldOf decodes the object before an update into old, and reports whether the request is an update. Of an object in a request only spec, labels,
// annotations and finalizers are the user's; deletion and status have to be read from the old object.
func oldOf(ctx context.Context, decoder ctrladmission.Decoder, old client.Object) (updating bool, err error) {
	request, err := ctrladmission.RequestFromContext(ctx)
	if err != nil || request.Operation != admissionv1.Update {
		return false, err
	}
	reflect.ValueOf(old).Elem().SetZero() // a copy of the new object would keep fields that the old one does not have
	if err := decoder.DecodeRaw(request.OldObject, old); err != nil {
		return false, fmt.Errorf("decoding the object as it is: %w", err)
	}
	return true, nil
}

// requester returns the user of the request.
func requester(ctx context.Context) (*v1beta1.UserInfo, error) {
	request, err := ctrladmission.RequestFromContext(ctx)
	if err != nil {
		return nil, err
	}
	user := &v1beta1.UserInfo{Username: request.UserInfo.Username, UID: request.UserInfo.UID, Groups: request.UserInfo.Groups}
	for key, values := range request.UserInfo.Extra {
		if user.Extra == nil {
			user.Extra = make(map[string]v1beta1.ExtraValue, len(request.UserInfo.Extra))
		}
		user.Extra[key] = v1beta1.ExtraValue(values)
	}
	return user, nil
}

// giveID gives a new object an external id, and records that it was generated. A supplied id has no record, even if the object has the annotation.
func giveID(obj client.Object, id *string, now time.Time) {
	annotations := maps.Clone(obj.GetAnnotations())
	delete(annotations, v1beta1.MadeIDAnnotation)
	if *id == "" {
		*id = catalog.NewID()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[v1beta1.MadeIDAnnotation] = catalog.MadeID(*id, now)
	}
	obj.SetAnnotations(annotations)
}

// keepRecord restores the record of the generated id, which no update may change. oldID is empty where the object bypassed
// admission: then the controller generates the id.
func keepRecord(old, obj client.Object, oldID string) {
	if oldID == "" {
		return
	}
	record, had := old.GetAnnotations()[v1beta1.MadeIDAnnotation]
	is, has := obj.GetAnnotations()[v1beta1.MadeIDAnnotation]
	if had == has && record == is {
		return
	}
	annotations := maps.Clone(obj.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	delete(annotations, v1beta1.MadeIDAnnotation)
	if had {
		annotations[v1beta1.MadeIDAnnotation] = record
	}
	obj.SetAnnotations(annotations)
}

// keepHold restores the finalizer, and the operator's annotations, where an update loses them.
func keepHold(old, obj client.Object, specChanges bool) {
	if !losesHold(old, obj, specChanges) {
		return
	}
	controllerutil.AddFinalizer(obj, v1beta1.Finalizer)
	annotations := maps.Clone(obj.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	for key, value := range ours(old.GetAnnotations()) {
		if _, has := annotations[key]; !has {
			annotations[key] = value
		}
	}
	obj.SetAnnotations(annotations)
}

func ours(annotations map[string]string) map[string]string {
	kept := maps.Clone(annotations)
	maps.DeleteFunc(kept, func(key, _ string) bool { return !strings.HasPrefix(key, annotationPrefix) })
	return kept
}

// checkDeletionPolicy refuses an unknown value that is new; old has the annotations from before.
func checkDeletionPolicy(old map[string]string, obj client.Object) field.ErrorList {
	return checkAnnotation(old, obj, v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain, v1beta1.DeletionPolicyDelete)
}

// checkParametersPolicy refuses an unknown value that is new; old has the annotations from before.
func checkParametersPolicy(old map[string]string, obj client.Object) field.ErrorList {
	return checkAnnotation(old, obj, v1beta1.ParametersPolicyAnnotation, v1beta1.ParametersAutomatic, v1beta1.ParametersManual)
}

// checkSchemaPolicy refuses an unknown value that is new; old has the annotations from before.
func checkSchemaPolicy(old map[string]string, obj client.Object) field.ErrorList {
	return checkAnnotation(old, obj, v1beta1.SchemaPolicyAnnotation, v1beta1.SchemaPolicyEnforce, v1beta1.SchemaPolicyWarn)
}

func checkAnnotation(old map[string]string, obj client.Object, name string, supported ...string) field.ErrorList {
	value, has := obj.GetAnnotations()[name]
	if !has || slices.Contains(supported, value) || old[name] == value {
		return nil
	}
	return field.ErrorList{field.NotSupported(field.NewPath("metadata", "annotations").Key(name), value, supported)}
}

// checkID refuses an id that another object of the kind has: both would be the same resource at the broker. holders returns
// the objects with an id.
func checkID[T client.Object](ctx context.Context, f *findings, k knowledge, obj T, id string, holders func(context.Context, string) ([]T, error)) {
	path := specPath.Child("externalID")
	if id == "" {
		f.refuse(field.Required(path, setByBellhop))
		return
	}
	// No other object has an id that this request generated; the record may be a forged one.
	if !catalog.RecordsID(obj, id) {
		warnOfAdoption(f, obj, id)
	}
	if !k.synced(ctx, obj) {
		if !catalog.RecordsID(obj, id) {
			f.warn("%s: whether another object has it was not checked: Bellhop is still starting", path)
		}
		return
	}
	others, err := holders(ctx, id)
	if err != nil {
		f.warn("%s: whether another object has it was not checked: %s", path, err)
	}
	// The cache may still have an object of this name that was deleted. If it exists, the API server refuses this one.
	others = slices.DeleteFunc(slices.Clone(others), func(o T) bool { return client.ObjectKeyFromObject(o) == client.ObjectKeyFromObject(obj) })
	if len(others) == 0 {
		return
	}
	// Objects in other namespaces are not named.
	holder := "an object in another namespace"
	if i := slices.IndexFunc(others, func(o T) bool { return o.GetNamespace() == obj.GetNamespace() }); i >= 0 {
		holder = fmt.Sprintf("%q", others[i].GetName())
	}
	f.refuse(field.Invalid(path, id, fmt.Sprintf("is the id of %s: leave it out for a new one, or delete that first", holder)))
}

// warnOfAdoption warns of the consequences of an id that is supplied.
func warnOfAdoption(f *findings, obj client.Object, id string) {
	path := specPath.Child("externalID")
	outcome := "left in place when this object is deleted, unless it was created for this object"
	policy := obj.GetAnnotations()[v1beta1.DeletionPolicyAnnotation]
	if policy == v1beta1.DeletionPolicyDelete {
		outcome = "DELETED with this object, as its deletion policy is Delete, even if another client created it"
	}
	f.warn("%s: the resource under the id %q at the broker will be adopted, and %s", path, id, outcome)
	if policy == "" {
		f.warn("%s is supplied without the annotation %s: an asynchronous broker does not report whether it was created for this object. Its deletion then waits until the annotation is Delete or Retain", path, v1beta1.DeletionPolicyAnnotation)
	}
}
