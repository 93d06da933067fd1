// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// The fields that the defaulting webhooks set are checked here a second time, in the object that the API server is about to store. A request that
// these webhooks did not see, or that was changed after them, is refused.

const setByBellhop = "is set by Bellhop, and cannot be changed: leave it out"

// checkUser refuses the identity of another user than want. Brokers authorize requests by it.
func checkUser(user, want *v1beta1.UserInfo) *field.Error {
	if equality.Semantic.DeepEqual(user, want) {
		return nil
	}
	return field.Forbidden(specPath.Child("userInfo"), setByBellhop)
}

// checkRequester refuses the identity of another user than the request's.
func checkRequester(ctx context.Context, user *v1beta1.UserInfo) *field.Error {
	want, err := requester(ctx)
	if err != nil {
		return field.InternalError(specPath.Child("userInfo"), err)
	}
	return checkUser(user, want)
}

// checkRecord refuses a record of a generated id that is not of this id, and a change of the record. oldID is empty where the object
// is new, or bypassed admission: then this request sets both.
func checkRecord(old map[string]string, oldID string, obj client.Object, id string) *field.Error {
	path := field.NewPath("metadata", "annotations").Key(v1beta1.MadeIDAnnotation)
	was, had := old[v1beta1.MadeIDAnnotation]
	is, has := obj.GetAnnotations()[v1beta1.MadeIDAnnotation]
	if oldID != "" && (had != has || was != is) || oldID == "" && has && !catalog.RecordsID(obj, id) {
		return field.Forbidden(path, setByBellhop)
	}
	return nil
}

// checkHold refuses an update that removes the finalizer together with other changes.
func checkHold(old, obj client.Object, specChanges bool) *field.Error {
	if !losesHold(old, obj, specChanges) {
		return nil
	}
	return field.Forbidden(field.NewPath("metadata", "finalizers"), "an update that removes "+v1beta1.Finalizer+" may change nothing else: without it, what the object stands for is left at the broker")
}

// losesHold reports whether an update removes the finalizer together with other changes: it replaces the object with a manifest that
// lacks finalizer and annotations. An update that removes the finalizer and nothing else releases the object.
func losesHold(old, obj client.Object, specChanges bool) bool {
	if !controllerutil.ContainsFinalizer(old, v1beta1.Finalizer) || controllerutil.ContainsFinalizer(obj, v1beta1.Finalizer) {
		return false
	}
	return specChanges || !equality.Semantic.DeepEqual(ours(old.GetAnnotations()), ours(obj.GetAnnotations()))
}

// checkRefs refuses references to other objects than the class and the plan that the spec names. It accepts the former references, and new ones
// that the catalog has under these names. It reports whether the class is referenced for the first time, which decides on the broker that is sent
// the parameters. old is nil where the instance is new.
func (k knowledge) checkRefs(ctx context.Context, f *findings, old, i *v1beta1.ServiceInstance, ref catalog.Reference) (first bool) {
	var kept catalog.Refs
	if old != nil {
		kept = refsAfter(old.Spec, i.Spec, ref.Scope)
	}
	for _, scope := range catalog.Scopes {
		if scope != ref.Scope && catalog.RefsOf(&i.Spec, scope) != (catalog.Refs{}) {
			f.refuse(field.Forbidden(refPath(scope.ClassKind()), setByBellhop))
		}
	}
	is := catalog.RefsOf(&i.Spec, ref.Scope)
	if is == kept {
		return false
	}
	named, err := k.refsTo(ctx, i.Namespace, ref, kept)
	if err != nil {
		f.refuse(field.InternalError(refPath(ref.Scope.ClassKind()), err))
		return false
	}
	check := func(kind, is, named, kept string) {
		if is != named && is != kept {
			f.refuse(field.Invalid(refPath(kind), is, setByBellhop))
		}
	}
	check(ref.Scope.ClassKind(), is.Class, named.Class, kept.Class)
	check(ref.Scope.PlanKind(), is.Plan, named.Plan, kept.Plan)
	return kept.Class == "" && is.Class != ""
}

// refPath returns the path of the reference to an object of a kind.
func refPath(kind string) *field.Path {
	return specPath.Child(strings.ToLower(kind[:1]) + kind[1:] + "Ref")
}
