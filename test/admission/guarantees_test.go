// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
)

// place is where a guarantee of admission is stated.
type place string

const (
	mutating   place = "mutating webhook"
	validating place = "validating webhook"
	inSchema   place = "schema"
	schemaAnd  place = "schema and validating webhook"
	controller place = "controller"
	nowhere    place = "none: only another mutating webhook could change it afterwards"
)

// guarantee is what admission guarantees about the objects of a kind, whatever a user writes.
type guarantee struct {
	name string
	kind string
	// hooks are the entries of the webhook configurations that it rests on.
	hooks []string
	// first and second are where it is stated; second is empty where the first place judges what is stored.
	first, second place
	// object is the manifest of an object that a user may create.
	object string
	// forgery is a merge patch of a user who tries to break the guarantee. $ID is the external id of the object,
	// and $N the number of the attempt, so that each changes something.
	forgery string
	// test has the attempts to break it; empty: doors_test.go.
	test string
	// onlyUpdates: it is about what was stored before. onlyCreations: an update may change it.
	onlyUpdates, onlyCreations bool
	// broken returns what is wrong with an object that was stored for a user; before is nil for a new one.
	broken func(by string, before, stored *unstructured.Unstructured) string
}

// row is the guarantee's row of the table in the documentation.
func (g guarantee) row() string {
	second, policy := string(g.second), "Fail"
	if second == "" {
		second = "not needed"
	}
	if g.kind == "Alert" {
		policy = "Ignore"
	}
	return "| " + g.kind + ": " + g.name + " | " + string(g.first) + " | " + second + " | " + policy + " | `" + cmp.Or(g.test, "test/admission/doors_test.go") + "` |"
}

// is reports a field of a stored object that is not one of the accepted values.
func is(field string, accepted func(by string, before *unstructured.Unstructured) []any) func(string, *unstructured.Unstructured, *unstructured.Unstructured) string {
	path := strings.Split(field, ".")
	return func(by string, before, stored *unstructured.Unstructured) string {
		value, _, _ := unstructured.NestedFieldNoCopy(stored.Object, path...)
		if slices.ContainsFunc(accepted(by, before), func(want any) bool { return reflect.DeepEqual(want, value) }) {
			return ""
		}
		return field + " is stored with a value of the user"
	}
}

// unchanged reports a field that an update has changed.
func unchanged(field string) func(string, *unstructured.Unstructured, *unstructured.Unstructured) string {
	path := strings.Split(field, ".")
	return is(field, func(_ string, before *unstructured.Unstructured) []any {
		value, _, _ := unstructured.NestedFieldNoCopy(before.Object, path...)
		return []any{value}
	})
}

// ofRequester reports a userInfo of another user than the one who last changed the spec.
func ofRequester(by string, before, stored *unstructured.Unstructured) string {
	if before != nil && unchanged("spec.parameters")(by, before, stored) == "" {
		return unchanged("spec.userInfo")(by, before, stored)
	}
	user, _, _ := unstructured.NestedMap(stored.Object, "spec", "userInfo")
	if user["username"] != by || user["uid"] != "uid-"+by {
		return "spec.userInfo is not of the requesting user"
	}
	return ""
}

// ownRecord reports a record of a generated id that this request did not generate.
func ownRecord(_ string, before, stored *unstructured.Unstructured) string {
	id, _, _ := unstructured.NestedString(stored.Object, "spec", "externalID")
	record := madeIDOf(stored)
	if before != nil && record != madeIDOf(before) || record != "" && !strings.HasPrefix(record, id+" ") || strings.Contains(record, "2030") {
		return "the record is the user's"
	}
	return ""
}

// held reports an object without the finalizer.
func held(_ string, before, stored *unstructured.Unstructured) string {
	if slices.Contains(stored.GetFinalizers(), v1beta1.Finalizer) || before != nil && !slices.Contains(before.GetFinalizers(), v1beta1.Finalizer) {
		return ""
	}
	return "the finalizer is missing"
}

// notTheirs reports a reference to the Secret that the user may not read.
func notTheirs(_ string, _, stored *unstructured.Unstructured) string {
	text, err := json.Marshal(stored.Object["spec"])
	if err != nil || strings.Contains(string(text), `"name":"theirs"`) {
		return "a Secret is used that the user may not read"
	}
	return ""
}

const (
	forgedUser   = `"userInfo":{"username":"root","uid":"0","groups":["system:masters"]}`
	forgedRecord = `"metadata":{"annotations":{"bellhop.gophernetes.io/made-id":"$ID 2030-01-01T00:00:00Z"}}`

	brokerManifest        = `{spec: {url: "https://broker.example.com"}}`
	clusterClassManifest  = `{spec: {externalName: x, externalID: x, description: x, clusterServiceBrokerName: seed}}`
	classManifest         = `{spec: {externalName: x, externalID: x, description: x, serviceBrokerName: osba}}`
	clusterPlanManifest   = `{spec: {externalName: x, externalID: x, description: x, clusterServiceBrokerName: seed, clusterServiceClassRef: {name: class-1}, free: true}}`
	planManifest          = `{spec: {externalName: x, externalID: x, description: x, serviceBrokerName: osba, serviceClassRef: {name: class-1}, free: true}}`
	receiverManifest      = `{spec: {webhook: {url: "https://example.com"}}}`
	alertManifest         = `{spec: {content: x}}`
	theirsInParameters    = `"parametersFrom":[{"secretKeyRef":{"name":"theirs","key":"k"}}]`
	theirsInTransforms    = `"secretTransforms":[{"addKeysFrom":{"secretRef":{"name":"theirs"}}}]`
	theirsOfReceiver      = `{"spec":{"webhook":{"url":"https://elsewhere.example.com"},"secretRef":{"name":"theirs"}}}`
	theirsOfBroker        = `{"spec":{"url":"https://elsewhere.example.com","authInfo":{"basic":{"secretRef":{"name":"theirs"}}}}}`
	theirsOfClusterBroker = `{"spec":{"url":"https://elsewhere.example.com","authInfo":{"basic":{"secretRef":{"namespace":"default","name":"theirs"}}}}}`
)

// guarantees are all that admission guarantees.
func guarantees() (all []guarantee) {
	instance := []string{"mserviceinstance", "vserviceinstance"}
	binding := []string{"mservicebinding", "vservicebinding"}
	all = []guarantee{
		{name: "`spec.userInfo` is the user who last changed the spec", kind: "ServiceInstance", hooks: instance, first: mutating, second: validating,
			object: instanceManifest, forgery: `{"spec":{` + forgedUser + `,"parameters":{"a":$N}}}`, broken: ofRequester},
		{name: "`spec.userInfo` stays without another change of the spec", kind: "ServiceInstance", hooks: instance, first: mutating, second: validating,
			object: instanceManifest, forgery: `{"spec":{` + forgedUser + `}}`, broken: ofRequester},
		{name: "the record of a generated ID is the operator's", kind: "ServiceInstance", hooks: instance, first: mutating, second: validating,
			object: instanceManifest, forgery: `{` + forgedRecord + `}`, onlyUpdates: true, broken: ownRecord},
		{name: "no other object has its ID, whatever its record says", kind: "ServiceInstance", hooks: instance, first: validating,
			object: instanceManifest, forgery: `{` + forgedRecord + `,"spec":{"externalID":"$ID"}}`, broken: ownRecord},
		{name: "`spec.externalID` is immutable", kind: "ServiceInstance", hooks: instance, first: inSchema,
			object: instanceManifest, forgery: `{"spec":{"externalID":"stolen"}}`, onlyUpdates: true, broken: unchanged("spec.externalID")},
		{name: "references are those that the spec names", kind: "ServiceInstance", hooks: instance, first: mutating, second: validating,
			object: instanceManifest, forgery: `{"spec":{"clusterServiceClassRef":{"name":"class-3"},"clusterServicePlanRef":{"name":"plan-3"}}}`,
			broken: is("spec.clusterServicePlanRef.name", func(string, *unstructured.Unstructured) []any { return []any{"plan-1", nil} })},
		{name: "references are none of the user's while what the spec names does not exist", kind: "ServiceInstance", hooks: instance, first: mutating, second: validating,
			object:  `{spec: {clusterServiceClassExternalName: absent, clusterServicePlanExternalName: absent}}`,
			forgery: `{"spec":{"clusterServiceClassRef":{"name":"class-3"},"clusterServicePlanRef":{"name":"plan-3"},"serviceClassRef":{"name":"class-1"}}}`,
			broken: func(_ string, _, stored *unstructured.Unstructured) string {
				for _, ref := range []string{"clusterServiceClassRef", "clusterServicePlanRef", "serviceClassRef"} {
					if _, has, _ := unstructured.NestedFieldNoCopy(stored.Object, "spec", ref); has {
						return "spec." + ref + " is the user's"
					}
				}
				return ""
			}},
		{name: "an update of the spec keeps the finalizer", kind: "ServiceInstance", hooks: instance, first: mutating, second: validating,
			object: instanceManifest, forgery: `{"metadata":{"finalizers":null},"spec":{"parameters":{"a":$N}}}`, onlyUpdates: true, broken: held},
		{name: "Secrets in `spec.parametersFrom` are such as the user may read", kind: "ServiceInstance", hooks: instance, first: validating,
			object: instanceManifest, forgery: `{"spec":{` + theirsInParameters + `}}`, broken: notTheirs},

		{name: "`spec.userInfo` is the user who created it", kind: "ServiceBinding", hooks: binding, first: mutating, second: schemaAnd,
			object: bindingManifest, forgery: `{"spec":{` + forgedUser + `}}`, broken: ofRequester},
		{name: "the record of a generated ID is the operator's", kind: "ServiceBinding", hooks: binding, first: mutating, second: validating,
			object: bindingManifest, forgery: `{` + forgedRecord + `}`, onlyUpdates: true, broken: ownRecord},
		{name: "no other object has its ID, whatever its record says", kind: "ServiceBinding", hooks: binding, first: validating,
			object: bindingManifest, forgery: `{` + forgedRecord + `,"spec":{"externalID":"$ID"}}`, broken: ownRecord},
		{name: "an update of the spec keeps the finalizer", kind: "ServiceBinding", hooks: binding, first: mutating, second: validating,
			object: bindingManifest, forgery: `{"metadata":{"finalizers":null},"spec":{"parameters":{"a":$N}}}`, onlyUpdates: true, broken: held},
		{name: "Secrets in `spec.parametersFrom` are such as the user may read", kind: "ServiceBinding", hooks: binding, first: validating,
			object: bindingManifest, forgery: `{"spec":{` + theirsInParameters + `}}`, broken: notTheirs},
		{name: "Secrets in `spec.secretTransforms` are such as the user may read", kind: "ServiceBinding", hooks: binding, first: validating,
			object: bindingManifest, forgery: `{"spec":{` + theirsInTransforms + `}}`, broken: notTheirs},
	}
	for field, forgery := range map[string]string{
		"instanceRef": `{"name":"other"}`, "parameters": `{"a":1}`, "parametersFrom": `[{"secretKeyRef":{"name":"tok","key":"k"}}]`,
		"secretName": `"other"`, "secretTransforms": `[{"removeKey":{"key":"k"}}]`, "externalID": `"stolen"`,
	} {
		second := schemaAnd
		if field == "parameters" || field == "secretTransforms" {
			second = validating
		}
		all = append(all, guarantee{name: "`spec." + field + "` is immutable", kind: "ServiceBinding", hooks: binding, first: mutating, second: second,
			object: bindingManifest, forgery: `{"spec":{"` + field + `":` + forgery + `}}`, onlyUpdates: true, broken: unchanged("spec." + field)})
	}
	for _, kind := range []string{"ServiceBroker", "ClusterServiceBroker"} {
		hooks := []string{"m" + strings.ToLower(kind), "v" + strings.ToLower(kind)}
		secrets := theirsOfBroker
		if kind == "ClusterServiceBroker" {
			secrets = theirsOfClusterBroker
		}
		all = append(all,
			guarantee{name: "an update of the spec keeps the finalizer", kind: kind, hooks: hooks, first: mutating, second: validating,
				object: brokerManifest, forgery: `{"metadata":{"finalizers":null},"spec":{"relistRequests":$N}}`, onlyUpdates: true, broken: held},
			guarantee{name: "Secrets in `spec.authInfo` are such as the user may read", kind: kind, hooks: hooks, first: validating,
				object: brokerManifest, forgery: secrets, broken: notTheirs})
	}
	for kind, object := range map[string]string{"ServiceClass": classManifest, "ClusterServiceClass": clusterClassManifest, "ServicePlan": planManifest, "ClusterServicePlan": clusterPlanManifest} {
		hooks := []string{"m" + strings.ToLower(kind)}
		scope := "service"
		if strings.HasPrefix(kind, "Cluster") {
			scope = "clusterService"
		}
		all = append(all, guarantee{name: "`spec." + scope + "BrokerName` is immutable", kind: kind, hooks: hooks, first: mutating, second: inSchema,
			object: object, forgery: `{"spec":{"` + scope + `BrokerName":"other"}}`, onlyUpdates: true, broken: unchanged("spec." + scope + "BrokerName")})
		if strings.HasSuffix(kind, "Plan") {
			all = append(all, guarantee{name: "`spec." + scope + "ClassRef` is immutable", kind: kind, hooks: hooks, first: mutating, second: inSchema,
				object: object, forgery: `{"spec":{"` + scope + `ClassRef":{"name":"other"}}}`, onlyUpdates: true, broken: unchanged("spec." + scope + "ClassRef.name")})
		}
	}
	for kind, object := range map[string]string{"ServiceInstance": instanceManifest, "ServiceBinding": bindingManifest} {
		all = append(all, guarantee{name: "a new object has an ID", kind: kind, hooks: []string{"m" + strings.ToLower(kind), "v" + strings.ToLower(kind)}, first: mutating, second: validating,
			object: object, forgery: `{"spec":{"externalID":""}}`, onlyCreations: true, broken: func(_ string, _, stored *unstructured.Unstructured) string {
				if id, _, _ := unstructured.NestedString(stored.Object, "spec", "externalID"); id == "" {
					return "the id is missing"
				}
				return ""
			}})
	}
	// A new object without the finalizer gets it from the controller, before anything is sent.
	for kind, object := range map[string]string{"ServiceInstance": instanceManifest, "ServiceBinding": bindingManifest, "ServiceBroker": brokerManifest, "ClusterServiceBroker": brokerManifest} {
		all = append(all, guarantee{name: "a new object has the finalizer", kind: kind, hooks: []string{"m" + strings.ToLower(kind)}, first: mutating, second: controller,
			object: object, forgery: `{"metadata":{"finalizers":["example.com/other"]}}`, onlyCreations: true, broken: held})
	}
	for _, kind := range []string{"Receiver", "ClusterReceiver"} {
		all = append(all, guarantee{name: "the Secret in `spec.secretRef` is one that the user may read", kind: kind, hooks: []string{"v" + strings.ToLower(kind)}, first: validating,
			object: receiverManifest, forgery: theirsOfReceiver, broken: notTheirs})
	}
	alert := []string{"malert", "valert"}
	all = append(all,
		guarantee{name: "a new object has the finalizer", kind: "Alert", hooks: alert, first: mutating, second: controller,
			object: alertManifest, forgery: `{"metadata":{"finalizers":["example.com/other"]}}`, onlyCreations: true, broken: func(_ string, _, stored *unstructured.Unstructured) string {
				if !slices.Contains(stored.GetFinalizers(), pagerv1beta1.AlertFinalizer) {
					return "the finalizer is missing"
				}
				return ""
			}},
		guarantee{name: "the title in the annotation of `v1alpha1` has at most 256 characters", kind: "Alert", hooks: alert, first: validating, second: controller,
			object: alertManifest, forgery: `{"metadata":{"annotations":{"pager.k8s.co/title":"` + strings.Repeat("a", 257) + `"}}}`, broken: func(_ string, _, stored *unstructured.Unstructured) string {
				if title, _, _ := unstructured.NestedString(stored.Object, "spec", "title"); len(title) > 256 || len(stored.GetAnnotations()[pagerv1beta1.TitleAnnotation]) > 256 {
					return "the title is too long"
				}
				return ""
			}})
	slices.SortStableFunc(all, byRow)
	return all
}

func byRow(a, b guarantee) int { return strings.Compare(a.kind+a.name, b.kind+b.name) }

// completions are guarantees about objects that wait. The attempts to break them need such an object beside.
func completions() (all []guarantee) {
	for kind, g := range map[string]guarantee{
		"ServiceInstance": {name: "Secrets of bindings that wait for a new one are such as the user may read", first: validating},
		"ServiceBroker":   {name: "Secrets of instances that wait for its classes are such as the user may read", first: validating},
		"ServiceClass":    {name: "Secrets of instances that wait for it are such as the user may read", first: mutating, second: nowhere},
	} {
		g.kind, g.test = kind, "webhooks/servicecatalog/waiting_test.go"
		all = append(all, g)
		if kind != "ServiceInstance" {
			g.kind = "Cluster" + kind
			all = append(all, g)
		}
	}
	return append(all, guarantee{kind: "ServiceInstance", name: "Secrets of an instance and its bindings are such as the user may read who first references the class", first: validating, test: "webhooks/servicecatalog/waiting_test.go"})
}

// withoutGuarantee are the entries that guarantee nothing: they only warn.
var withoutGuarantee = map[string]bool{"valertsource": true}

// hooksOf returns the names of all entries that guarantees rest on.
func hooksOf(all []guarantee) []string {
	names := maps.Clone(withoutGuarantee)
	for _, g := range all {
		for _, hook := range g.hooks {
			names[hook] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func TestGuaranteesAreDocumented(t *testing.T) {
	page := readFile(t, "docs", "explanation", "security-of-admission.md")
	all := append(guarantees(), completions()...)
	slices.SortStableFunc(all, byRow)
	var rows []string
	for _, g := range all {
		rows = append(rows, g.row())
	}
	if table := strings.Join(rows, "\n"); !strings.Contains(page, "\n"+table+"\n\n") {
		t.Errorf("docs/explanation/security-of-admission.md has to have this table:\n%s", table)
	}
}

// TestEachWebhookHasAGuarantee: a new entry of the configurations needs a guarantee here, or only warns; and what rests on an entry that
// may be ignored is guaranteed elsewhere.
func TestEachWebhookHasAGuarantee(t *testing.T) {
	ignored, names := map[string]bool{}, []string{}
	for document := range strings.SplitSeq(readFile(t, "config", "webhook", "manifests.yaml"), "\n---\n") {
		var configuration admissionregistrationv1.ValidatingWebhookConfiguration // entries of both kinds have the fields that are read here
		if err := yaml.Unmarshal([]byte(document), &configuration); err != nil {
			t.Fatal(err)
		}
		for _, hook := range configuration.Webhooks {
			name, _, _ := strings.Cut(hook.Name, ".")
			ignored[name] = *hook.FailurePolicy == admissionregistrationv1.Ignore
			if !slices.Contains(hook.Rules[0].Operations, admissionregistrationv1.Delete) {
				names = append(names, name)
			} else if !ignored[name] || len(hook.Rules[0].Operations) != 1 {
				t.Errorf("%s may stop deletions", hook.Name)
			}
		}
	}
	slices.Sort(names)
	if covered := hooksOf(guarantees()); !slices.Equal(names, covered) {
		t.Errorf("entries are %v, and guarantees rest on %v", names, covered)
	}
	for _, g := range guarantees() {
		for _, hook := range g.hooks {
			if ignored[hook] && g.second != inSchema && g.second != controller {
				t.Errorf("%s of %s rests on %s, whose failure is ignored", g.name, g.kind, hook)
			}
		}
	}
}

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	repo, err := local.FindRepo()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(append([]string{repo}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
