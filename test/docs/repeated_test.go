// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// F-B27: tools that keep objects as a repository has them compare a manifest's list with the stored one as a whole. What the API server
// completes inside an element is a difference that never ends.
var _ = Describe("The documentation", func() {
	It("has manifests that change nothing when they are applied again", func(ctx SpecContext) {
		var all []*unstructured.Unstructured
		places := map[*unstructured.Unstructured]string{}
		for where, manifest := range manifests() {
			for _, object := range ownObjects(manifest) {
				isolate(ctx, object)
				all, places[object] = append(all, object), where
			}
		}
		expectUnchanged(ctx, all, places)
	})

	It("documents kinds whose schema completes nothing inside list elements, but the kind of a receiver, a key of its list", func() {
		var completed []string
		for _, path := range must(filepath.Glob(filepath.Join(repo, "config", "crd", "bases", "*.yaml"))) {
			var definition apiextensionsv1.CustomResourceDefinition
			Expect(yaml.Unmarshal(must(os.ReadFile(path)), &definition)).To(Succeed())
			for _, version := range definition.Spec.Versions {
				completed = append(completed, defaultsInElements(definition.Spec.Names.Kind+"."+version.Name, version.Schema.OpenAPIV3Schema, false)...)
			}
		}
		Expect(completed).To(ConsistOf("Alert.v1alpha1.spec.receiverRefs[].kind", "Alert.v1beta1.spec.receiverRefs[].kind", "AlertSource.v1beta1.spec.receiverRefs[].kind"))
	})
})

// manifests returns what users would apply, by where it is: the samples, the examples, and the blocks of the pages, those of commands included.
func manifests() map[string]string {
	found := map[string]string{}
	for _, pattern := range []string{"config/samples/*.yaml", "examples/*/*.yaml"} {
		for _, path := range must(filepath.Glob(filepath.Join(repo, pattern))) {
			found[must(filepath.Rel(repo, path))] = string(must(os.ReadFile(path)))
		}
	}
	applied := regexp.MustCompile(`(?ms)^kubectl apply [^\n]*<<(?:END|EOF)\n(.*?)^(?:END|EOF)$`)
	for _, b := range readBlocks() {
		switch b.infoString {
		case "yaml":
			found[b.where] = b.text
		case "sh", "sh test":
			var documents []string
			for _, match := range applied.FindAllStringSubmatch(b.text, -1) {
				documents = append(documents, match[1])
			}
			found[b.where] = strings.Join(documents, "---\n")
		}
	}
	maps.DeleteFunc(found, func(_, manifest string) bool { return len(ownObjects(manifest)) == 0 })
	return found
}

// ownObjects returns the objects of a manifest whose kinds are Bellhop's: the defaults of Kubernetes' own kinds are known to these tools.
func ownObjects(manifest string) (own []*unstructured.Unstructured) {
	for _, document := range regexp.MustCompile(`(?m)^---$`).Split(manifest, -1) {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			continue // another spec refuses it
		}
		groups := []string{v1beta1.GroupVersion.Group, servicecatalogv1beta1.GroupVersion.Group}
		if slices.Contains(groups, object.GroupVersionKind().Group) {
			own = append(own, object)
		}
	}
	return own
}

// isolate gives an object a namespace or a name, and an ID at the broker, of its own, so that it is no object of another manifest. It is removed
// at the end of the spec.
func isolate(ctx context.Context, object *unstructured.Unstructured) {
	GinkgoHelper()
	own := createNamespace(ctx)
	if namespaced, err := k8s.IsObjectNamespaced(object); err != nil || namespaced {
		Expect(err).NotTo(HaveOccurred())
		object.SetNamespace(own)
	} else {
		object.SetName(own)
	}
	if _, hasID, _ := unstructured.NestedString(object.Object, "spec", "externalID"); hasID { // pages have the same one in several manifests
		Expect(unstructured.SetNestedField(object.Object, string(uuid.NewUUID()), "spec", "externalID")).To(Succeed())
	}
	DeferCleanup(func(ctx SpecContext) { // without its finalizers nothing is sent for it any more
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, object.DeepCopy()))).To(Succeed())
		release := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
		Expect(client.IgnoreNotFound(k8s.Patch(ctx, object.DeepCopy(), release))).To(Succeed())
	})
}

// expectUnchanged applies objects twice as kubectl does, compares them as Argo CD does, and moves them to server-side apply, which also
// takes away what the manifests do not have. All are applied at once, since each start of kubectl costs a fifth of a second.
func expectUnchanged(ctx context.Context, all []*unstructured.Unstructured, places map[*unstructured.Unstructured]string) {
	GinkgoHelper()
	var manifests []string
	for _, object := range all {
		manifests = append(manifests, string(must(json.Marshal(object))))
	}
	apply := func(args ...string) string {
		out, err := kubectl(ctx, strings.Join(manifests, "\n---\n"), append([]string{"apply", "-f", "-"}, args...)...)
		Expect(err).NotTo(HaveOccurred(), out)
		return out
	}
	read := func(object *unstructured.Unstructured) *unstructured.Unstructured {
		stored := object.DeepCopy()
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(object), stored)).To(Succeed(), places[object])
		return stored
	}

	Expect(regexp.MustCompile(`(?m) created$`).FindAllString(apply(), -1)).To(HaveLen(len(all)))
	created := map[*unstructured.Unstructured]*unstructured.Unstructured{}
	for _, object := range all {
		created[object] = read(object)
		Expect(threeWayDifference(object, created[object])).To(MatchJSON("{}"), "the difference that Argo CD shows for %s", places[object])
	}
	Expect(regexp.MustCompile(`(?m) unchanged$`).FindAllString(apply(), -1)).To(HaveLen(len(all)))
	for range 2 {
		apply("--server-side", "--force-conflicts")
		for _, object := range all {
			stored := read(object)
			Expect(stored.Object["spec"]).To(Equal(created[object].Object["spec"]), places[object])
			Expect(stored.GetGeneration()).To(Equal(created[object].GetGeneration()), places[object])
		}
	}
}

// threeWayDifference returns the JSON merge patch from the stored object to its manifest, where what was applied last tells additions of
// others from removals: kubectl apply, Argo CD and Helm do this for kinds that are not built in.
func threeWayDifference(manifest, stored *unstructured.Unstructured) string {
	GinkgoHelper()
	wanted := manifest.DeepCopy()
	if wanted.GetAnnotations() == nil {
		wanted.SetAnnotations(map[string]string{}) // as kubectl writes it into its annotation
	}
	last := []byte(stored.GetAnnotations()[corev1.LastAppliedConfigAnnotation])
	difference, err := jsonmergepatch.CreateThreeWayJSONMergePatch(last, must(json.Marshal(wanted)), must(json.Marshal(stored)))
	Expect(err).NotTo(HaveOccurred())
	return string(difference)
}

// defaultsInElements returns the paths of the fields inside list elements that have a default. A status is no part of a manifest.
func defaultsInElements(path string, schema *apiextensionsv1.JSONSchemaProps, inElement bool) (found []string) {
	if inElement && schema.Default != nil {
		found = append(found, path)
	}
	for name, property := range schema.Properties {
		if name != "status" {
			found = append(found, defaultsInElements(path+"."+name, &property, inElement)...)
		}
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		found = append(found, defaultsInElements(path+"[]", schema.Items.Schema, true)...)
	}
	return found
}
