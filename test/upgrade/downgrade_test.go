// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// unknownField is a field of spec and of status that this version does not have.
const unknownField = "ofANewerVersion"

// withUnknownFields adds what a newer version may have written.
func withUnknownFields(all []stored) []stored {
	return changeEach(all, func(_ string, object map[string]any) {
		for _, part := range []string{"spec", "status"} {
			if fields, ok := object[part].(map[string]any); ok {
				fields[unknownField] = "kept"
			}
		}
	})
}

// acceptUnknownFields gives the API server CRDs of a newer version, which stay when the operator is replaced by an older one.
func acceptUnknownFields(ctx context.Context) {
	GinkgoHelper()
	setPreserveUnknownFields(ctx, true)
	DeferCleanup(func(ctx SpecContext) { setPreserveUnknownFields(ctx, false) })
}

func setPreserveUnknownFields(ctx context.Context, preserve bool) {
	GinkgoHelper()
	var crds apiextensionsv1.CustomResourceDefinitionList
	Expect(env.Client.List(ctx, &crds)).To(Succeed())
	for _, crd := range crds.Items {
		for _, version := range crd.Spec.Versions {
			properties := version.Schema.OpenAPIV3Schema.Properties
			for _, part := range []string{"spec", "status"} {
				schema, ok := properties[part]
				if !ok {
					continue
				}
				if schema.XPreserveUnknownFields = nil; preserve {
					schema.XPreserveUnknownFields = &preserve
				}
				properties[part] = schema
			}
		}
		Expect(env.Client.Update(ctx, &crd)).To(Succeed())
	}
}

// unknownFields returns a function that returns these fields of an object of each kind, in these parts.
func unknownFields(ctx context.Context, parts ...string) func() []string {
	return func() (values []string) {
		for _, object := range []string{"alert/sent", "receiver/hook", "servicebroker/broker", "serviceinstance/ready", "servicebinding/ready"} {
			for _, part := range parts {
				values = append(values, kubectl(ctx, "", "get", object, "-o=jsonpath={."+part+"."+unknownField+"}"))
			}
		}
		return values
	}
}
