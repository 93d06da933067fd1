/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package admission

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// Reviewer asks the API server what the requesting user is authorized to do.
type Reviewer struct{ Client client.Client }

// MayGetSecret returns an error at path unless the requesting user is authorized to get the Secret: the object would have it used,
// or sent to an address of the user's choice. ctx is that of a webhook.
func (r Reviewer) MayGetSecret(ctx context.Context, secret types.NamespacedName, path *field.Path) *field.Error {
	request, err := ctrladmission.RequestFromContext(ctx)
	if err != nil {
		return field.InternalError(path, err)
	}
	user := request.UserInfo
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: secret.Namespace, Verb: "get", Version: "v1", Resource: "secrets", Name: secret.Name},
	}}
	if user.Extra != nil {
		review.Spec.Extra = make(map[string]authorizationv1.ExtraValue, len(user.Extra))
		for key, value := range user.Extra {
			review.Spec.Extra[key] = authorizationv1.ExtraValue(value)
		}
	}
	// A review is not an object that a cache could show.
	if err := r.Client.Create(ctx, review, client.DisableReadYourWritesConsistency); err != nil {
		return field.InternalError(path, fmt.Errorf("asking whether %q may get the Secret: %w", user.Username, err))
	}
	if !review.Status.Allowed {
		return field.Forbidden(path, fmt.Sprintf("%q may not get Secret %q in namespace %q, so they may not have it sent either", user.Username, secret.Name, secret.Namespace))
	}
	return nil
}

// Synced reports whether the cache has synced the kinds of objs. While it has not, webhooks accept what depends on them and leave
// it to the controller.
func Synced(ctx context.Context, c cache.Cache, objs ...client.Object) bool {
	for _, obj := range objs {
		informer, err := c.GetInformer(ctx, obj, cache.BlockUntilSynced(false))
		if err != nil || !informer.HasSynced() {
			return false
		}
	}
	return true
}
