// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission has the parts that the webhooks of both groups share.
package admission

import (
	"strings"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// RegisterDefaulter serves a defaulter under the path of controller-runtime's builder. It sees objects as WithoutStatus has it.
func RegisterDefaulter[T client.Object](mgr ctrl.Manager, obj T, defaulter ctrladmission.Defaulter[T]) error {
	return register(mgr, obj, "/mutate-", &ctrladmission.Webhook{Handler: WithoutStatus[T](mgr.GetScheme(), Defaulting(mgr.GetScheme(), defaulter))})
}

// RegisterValidator serves a validator under the path of controller-runtime's builder. It sees objects as Decodable and
// Recordable have it.
func RegisterValidator[T client.Object](mgr ctrl.Manager, obj T, validator ctrladmission.Validator[T]) error {
	hook := ctrladmission.WithValidator(mgr.GetScheme(), validator)
	hook.Handler = Recordable(Decodable[T](mgr.GetScheme(), hook.Handler))
	return register(mgr, obj, "/validate-", hook)
}

func register(mgr ctrl.Manager, obj client.Object, prefix string, hook *ctrladmission.Webhook) error {
	gvk, err := apiutil.GVKForObject(obj, mgr.GetScheme())
	if err != nil {
		return err
	}
	path := strings.ToLower(prefix + strings.ReplaceAll(gvk.Group, ".", "-") + "-" + gvk.Version + "-" + gvk.Kind)
	mgr.GetWebhookServer().Register(path, hook)
	return nil
}
