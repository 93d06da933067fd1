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

// Package admission has what the webhooks of both groups share.
package admission

import (
	"context"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// RegisterDefaulter serves a defaulter under the path of controller-runtime's builder, wrapped by LeaveToSchema.
func RegisterDefaulter[T runtime.Object](mgr ctrl.Manager, obj T, defaulter ctrladmission.Defaulter[T]) error {
	gvk, err := apiutil.GVKForObject(obj, mgr.GetScheme())
	if err != nil {
		return err
	}
	hook := ctrladmission.WithDefaulter(mgr.GetScheme(), defaulter)
	hook.Handler = LeaveToSchema(hook.Handler)
	path := strings.ToLower("/mutate-" + strings.ReplaceAll(gvk.Group, ".", "-") + "-" + gvk.Version + "-" + gvk.Kind)
	mgr.GetWebhookServer().Register(path, hook)
	return nil
}

// LeaveToSchema lets an object that does not decode pass the defaulting webhook unchanged: the schema is checked next, and its
// message names the field, where the decoder's names Go types. What the schema accepts and the types do not, the validating
// webhook refuses.
func LeaveToSchema(handler ctrladmission.Handler) ctrladmission.Handler {
	return ctrladmission.HandlerFunc(func(ctx context.Context, request ctrladmission.Request) ctrladmission.Response {
		response := handler.Handle(ctx, request)
		if !response.Allowed && response.Result != nil && response.Result.Code == http.StatusBadRequest {
			return ctrladmission.Allowed("")
		}
		return response
	})
}
