// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

func binding(edits ...func(*v1beta1.ServiceBinding)) *v1beta1.ServiceBinding {
	b := &v1beta1.ServiceBinding{}
	namespaceName(b, "ns", "b")
	b.Spec.InstanceRef.Name, b.Spec.ExternalID, b.Spec.UserInfo = "i", "made", alice()
	b.Annotations = map[string]string{v1beta1.MadeIDAnnotation: catalog.MadeID("made", t0)}
	for _, edit := range edits {
		edit(b)
	}
	return b
}

func TestBindingsAreChecked(t *testing.T) {
	class := clusterClass("broker", "class")
	plan := clusterPlan(class, "plan", func(p *v1beta1.CommonServicePlanSpec) {
		p.ServiceBindingCreateParameterSchema = raw(`{"type":"object","properties":{"role":{"enum":["reader"]}}}`)
	})
	closed := clusterPlan(class, "closed", func(p *v1beta1.CommonServicePlanSpec) { p.Bindable = new(false) })
	theirs := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "theirs"}}
	mine := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "mine"}}
	going := live(func(i *v1beta1.ServiceInstance) { i.Name, i.DeletionTimestamp = "going", &metav1.Time{Time: t0} })
	unbindable := live(func(i *v1beta1.ServiceInstance) { i.Name, i.Spec.ClusterServicePlanRef.Name = "unbindable", "closed" })
	other := binding(func(b *v1beta1.ServiceBinding) { b.Name, b.Spec.ExternalID, b.Annotations = "other", "taken", nil })
	requiring := func(name, what string) (*v1beta1.ClusterServiceClass, *v1beta1.ClusterServicePlan, *v1beta1.ServiceInstance) {
		class := clusterClass("broker", name, func(c *v1beta1.ClusterServiceClass) { c.Spec.Requires = []string{what} })
		return class, clusterPlan(class, name+"-plan"), live(func(i *v1beta1.ServiceInstance) {
			i.Name, i.Spec.ClusterServiceClassExternalName, i.Spec.ClusterServicePlanExternalName = name, "ext-"+name, "ext-"+name+"-plan"
			i.Spec.ClusterServiceClassRef.Name, i.Spec.ClusterServicePlanRef.Name = name, name+"-plan"
		})
	}
	drains, drainPlan, logging := requiring("logging", "syslog_drain")
	mounts, mountPlan, mounting := requiring("mounting", "volume_mount")
	k := knowing(t, clusterBroker("broker", true), class, plan, closed, drains, drainPlan, logging, mounts, mountPlan, mounting, live(), going, unbindable, theirs, mine, other)
	var asked []string
	v := bindingValidator{k, reviewer(t, &asked, "mine", "none")}
	copying := func(namespace, name string) func(*v1beta1.ServiceBinding) {
		return func(b *v1beta1.ServiceBinding) {
			b.Spec.SecretTransforms = []v1beta1.SecretTransform{{AddKeysFrom: &v1beta1.AddKeysFromTransform{SecretRef: &v1beta1.ObjectReference{Namespace: namespace, Name: name}}}}
		}
	}
	adding := func(key, path string) func(*v1beta1.ServiceBinding) {
		return func(b *v1beta1.ServiceBinding) {
			b.Spec.SecretTransforms = []v1beta1.SecretTransform{{AddKey: &v1beta1.AddKeyTransform{Key: key, JSONPathExpression: &path}}}
		}
	}
	for _, c := range []struct {
		name  string
		edit  func(*v1beta1.ServiceBinding)
		asked []string
		error []string
		warn  []string
	}{
		{name: "a binding", edit: func(*v1beta1.ServiceBinding) {}},
		{name: "G30", edit: func(b *v1beta1.ServiceBinding) { b.Spec.InstanceRef.Name = "going" },
			error: []string{`spec.instanceRef.name: Invalid value: "going"`, "must not be a ServiceInstance that is being deleted"}},
		{name: "no instance", edit: func(b *v1beta1.ServiceBinding) { b.Spec.InstanceRef.Name = "none" }, warn: []string{`there is no ServiceInstance "none"`}},
		{name: "a plan without bindings", edit: func(b *v1beta1.ServiceBinding) { b.Spec.InstanceRef.Name = "unbindable" }, warn: []string{"is not bindable"}},
		{name: "a service with volumes", edit: func(b *v1beta1.ServiceBinding) { b.Spec.InstanceRef.Name = "mounting" },
			warn: []string{`spec.instanceRef.name: the service of ServiceInstance "mounting" requires volume_mount, which Kubernetes cannot provide: no bind request will be sent`}},
		// F-B24
		{name: "a service with a log drain", edit: func(b *v1beta1.ServiceBinding) { b.Spec.InstanceRef.Name = "logging" },
			warn: []string{`spec.instanceRef.name: the service of ServiceInstance "logging" requires syslog_drain: Kubernetes sends no logs there, and the key syslog_drain_url of the Secret has the URL`}},
		{name: "parameters that are none", edit: func(b *v1beta1.ServiceBinding) { b.Spec.Parameters = raw(`[1]`) }, warn: []string{"spec.parameters: is not an object"}},
		{name: "parameters", edit: func(b *v1beta1.ServiceBinding) { b.Spec.Parameters = raw(`{"role":"writer"}`) }, error: []string{"spec.parameters.role"}},
		// F-B18
		{name: "parameters that are sent nevertheless", edit: func(b *v1beta1.ServiceBinding) {
			b.Spec.Parameters = raw(`{"role":"writer"}`)
			b.Annotations[v1beta1.SchemaPolicyAnnotation] = v1beta1.SchemaPolicyWarn
		}, warn: []string{"spec.parameters.role: ", "; the parameters are sent nevertheless, since the annotation bellhop.gophernetes.io/schema-policy is Warn"}},
		{name: "an unknown policy", edit: func(b *v1beta1.ServiceBinding) { b.Annotations[v1beta1.SchemaPolicyAnnotation] = "Ignore" },
			error: []string{`schema-policy]: Unsupported value: "Ignore"`}},
		{name: "another's Secret", edit: func(b *v1beta1.ServiceBinding) { b.Spec.SecretName = "theirs" }, warn: []string{`Secret "theirs" already exists`}},
		{name: "another's Secret of the binding's name", edit: func(b *v1beta1.ServiceBinding) { b.Name = "theirs" }, warn: []string{`Secret "theirs" already exists`}},
		{name: "another's id", edit: func(b *v1beta1.ServiceBinding) { b.Spec.ExternalID = "taken" }, error: []string{`spec.externalID: Invalid value: "taken"`, `is the id of "other"`}},
		// The cache may still have the object that was deleted; of an object that exists, the API server refuses a second one by its name.
		{name: "the id of the deleted object of its name", edit: func(b *v1beta1.ServiceBinding) { b.Name, b.Spec.ExternalID, b.Annotations = "other", "taken", nil }, warn: []string{"left in place when this object is deleted"}},
		{name: "an id that was brought", edit: func(b *v1beta1.ServiceBinding) { b.Spec.ExternalID, b.Annotations = "brought", nil }, warn: []string{"left in place when this object is deleted"}},
		{name: "parameters from a Secret of another", edit: func(b *v1beta1.ServiceBinding) {
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "theirs", Key: "k"}}}
		}, asked: []string{"ns/theirs"}, error: []string{"spec.parametersFrom[0].secretKeyRef.name: Forbidden"}},
		{name: "keys from a Secret", edit: copying("", "mine"), asked: []string{"ns/mine"}},
		{name: "keys from a Secret of this namespace", edit: copying("ns", "mine"), asked: []string{"ns/mine"}},
		{name: "keys from a Secret of another", edit: copying("", "theirs"), asked: []string{"ns/theirs"}, error: []string{"spec.secretTransforms[0].addKeysFrom.secretRef.name: Forbidden"}},
		{name: "keys from a Secret that is still to come", edit: copying("", "none"), asked: []string{"ns/none"},
			warn: []string{`spec.secretTransforms[0].addKeysFrom.secretRef.name: Secret "none" does not exist in namespace "ns": the credentials are not written until it does`}},
		{name: "parameters from a Secret that is still to come", edit: func(b *v1beta1.ServiceBinding) {
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "none", Key: "k"}}}
		}, asked: []string{"ns/none"}, warn: []string{`spec.parametersFrom[0].secretKeyRef.name: Secret "none" does not exist in namespace "ns": nothing is sent until it does`}},
		{name: "keys from elsewhere", edit: copying("kube-system", "mine"), error: []string{"spec.secretTransforms[0].addKeysFrom.secretRef.namespace: Invalid value", `must be left out, or be the binding's own: "ns"`}},
		{name: "keys from nowhere", edit: copying("", ""), error: []string{"spec.secretTransforms[0].addKeysFrom.secretRef.name: Required value: must name a Secret"}},
		{name: "a path", edit: adding("URL", "jdbc:{.uri}")},
		{name: "no path", edit: adding("URL", "{.uri"), error: []string{"spec.secretTransforms[0].addKey.jsonPathExpression: Invalid value", "unclosed action"}},
		{name: "a text that was to be a path", edit: adding("URL", ".uri"), warn: []string{`spec.secretTransforms[0].addKey.jsonPathExpression: the key gets ".uri" as it stands: a path is in braces, as {.uri}`}},
		{name: "nothing for a key", edit: adding("", "{.uri}"), error: []string{"spec.secretTransforms[0].addKey.key: Required value: must be a key of a Secret"}},
		{name: "no key", edit: adding("a/b", "{.x}"), error: []string{"spec.secretTransforms[0].addKey.key: Invalid value"}},
		{name: "no new key", edit: func(b *v1beta1.ServiceBinding) {
			b.Spec.SecretTransforms = []v1beta1.SecretTransform{{RenameKey: &v1beta1.RenameKeyTransform{From: "a b", To: ".."}}}
		}, error: []string{"spec.secretTransforms[0].renameKey.to: Invalid value"}},
		{name: "nothing for old keys", edit: func(b *v1beta1.ServiceBinding) {
			b.Spec.SecretTransforms = []v1beta1.SecretTransform{{RenameKey: &v1beta1.RenameKeyTransform{To: "a"}}, {RemoveKey: &v1beta1.RemoveKeyTransform{}}}
		}, error: []string{"spec.secretTransforms[0].renameKey.from: Required value", "spec.secretTransforms[1].removeKey.key: Required value"}},
		// F-S6: parameters are bounded, so that the object can be recorded.
		{name: "large parameters", edit: func(b *v1beta1.ServiceBinding) {
			b.Spec.Parameters = &runtime.RawExtension{Raw: []byte(`{"a":"` + strings.Repeat("x", 256<<10) + `"}`)}
		}, error: []string{"spec.parameters", "has 262152 bytes, and may have 262144"}},
		{name: "an overlap of rotations", edit: func(b *v1beta1.ServiceBinding) { b.Annotations[v1beta1.RotationOverlapAnnotation] = "120" }},
		{name: "an overlap that is no number", edit: func(b *v1beta1.ServiceBinding) { b.Annotations[v1beta1.RotationOverlapAnnotation] = "2h" }, error: []string{`Invalid value: "2h": must be a number of seconds, as an integer from 0 to 604800`}},
		{name: "an overlap of more than a week", edit: func(b *v1beta1.ServiceBinding) { b.Annotations[v1beta1.RotationOverlapAnnotation] = "604801" }, error: []string{`Invalid value: "604801": must be`}},
		{name: "a type and a provider", edit: func(b *v1beta1.ServiceBinding) {
			b.Annotations[v1beta1.BindingTypeAnnotation], b.Annotations[v1beta1.BindingProviderAnnotation] = "mysql", "Azure_1.0"
		}},
		{name: "a type of several words", edit: func(b *v1beta1.ServiceBinding) { b.Annotations[v1beta1.BindingTypeAnnotation] = "my sql" }, error: []string{
			`metadata.annotations[bellhop.gophernetes.io/binding-type]: Invalid value: "my sql": must be 1 to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends, such as postgresql`}},
		{name: "an empty provider", edit: func(b *v1beta1.ServiceBinding) { b.Annotations[v1beta1.BindingProviderAnnotation] = "" }, error: []string{`metadata.annotations[bellhop.gophernetes.io/binding-provider]: Invalid value: "": must be 1 to 63 letters`}},
		{name: "a policy", edit: func(b *v1beta1.ServiceBinding) { b.Annotations[v1beta1.DeletionPolicyAnnotation] = "Orphan" }, error: []string{`Unsupported value: "Orphan"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked = nil
			warnings, err := v.ValidateCreate(request(t, nil), binding(c.edit))
			says(t, "error", text(err), c.error...)
			says(t, "warnings", lines(warnings), c.warn...)
			if !slices.Equal(asked, c.asked) {
				t.Errorf("asked for %v instead of %v", asked, c.asked)
			}
		})
	}
	warnings, err := bindingValidator{starting(t), v.access}.ValidateCreate(request(t, nil), binding())
	says(t, "starting", text(err))
	says(t, "starting", lines(warnings), "spec.instanceRef.name was not checked: Bellhop is still starting")
}

// TestBindingsStay: a spec that differs is put back, and so is what a manifest that
// replaces the object does not have.
func TestBindingsStay(t *testing.T) {
	d := bindingDefaulter{decoder, func() time.Time { return t0 }}
	old := &v1beta1.ServiceBinding{}
	namespaceName(old, "ns", "b")
	old.Spec.InstanceRef.Name, old.Finalizers = "i", []string{"mine"}
	if err := d.Default(request(t, nil), old); err != nil {
		t.Fatal(err)
	}
	if old.Spec.SecretName != "b" || !catalog.RecordsID(old, old.Spec.ExternalID) || !equality.Semantic.DeepEqual(old.Spec.UserInfo, alice()) ||
		!slices.Equal(old.Finalizers, []string{"mine", v1beta1.Finalizer}) {
		t.Errorf("%+v %v", old.Spec, old.ObjectMeta)
	}
	old.Annotations[v1beta1.DeletionPolicyAnnotation] = v1beta1.DeletionPolicyRetain

	replaced := &v1beta1.ServiceBinding{}
	namespaceName(replaced, "ns", "b")
	replaced.Spec.InstanceRef.Name, replaced.Spec.SecretName = "other", "other"
	replaced.Annotations = map[string]string{v1beta1.RebindAnnotation: "now"}
	if err := d.Default(request(t, old), replaced); err != nil {
		t.Fatal(err)
	}
	if !equality.Semantic.DeepEqual(old.Spec, replaced.Spec) || !slices.Equal(replaced.Finalizers, []string{v1beta1.Finalizer}) ||
		replaced.Annotations[v1beta1.DeletionPolicyAnnotation] != v1beta1.DeletionPolicyRetain || replaced.Annotations[v1beta1.RebindAnnotation] != "now" ||
		!catalog.RecordsID(replaced, old.Spec.ExternalID) {
		t.Errorf("%+v %v", replaced.Spec, replaced.ObjectMeta)
	}

	let := old.DeepCopy()
	let.Finalizers = nil
	if err := d.Default(request(t, old), let); err != nil || len(let.Finalizers) > 0 {
		t.Errorf("held on: %v %v", let.Finalizers, err)
	}

	generated := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", GenerateName: "b-"}}
	if err := d.Default(request(t, nil), generated); err != nil || generated.Spec.SecretName != "" {
		t.Errorf("a name that nobody knows: %q %v", generated.Spec.SecretName, err)
	}
}

// TestAChangeInVainIsSaid: the fields that were put back, and what to do.
func TestAChangeInVainIsSaid(t *testing.T) {
	hook := admission.WithoutStatus[*v1beta1.ServiceBinding](scheme(), admission.Defaulting(scheme(), bindingDefaulter{decoder, func() time.Time { return t0 }}))
	full := func(b *v1beta1.ServiceBinding) {
		b.Spec.SecretName, b.Spec.Parameters, b.Spec.UserInfo = "b", raw(`{"role":"reader"}`), alice()
	}
	for name, c := range map[string]struct {
		edit func(*v1beta1.ServiceBinding)
		warn []string
	}{
		"nothing": {edit: func(*v1beta1.ServiceBinding) {}},
		"a manifest that replaces it": {edit: func(b *v1beta1.ServiceBinding) {
			b.Spec.SecretName, b.Spec.ExternalID, b.Spec.UserInfo = "", "", nil
		}},
		"an annotation": {edit: func(b *v1beta1.ServiceBinding) { b.Annotations[v1beta1.RebindAnnotation] = "now" }},
		"parameters": {edit: func(b *v1beta1.ServiceBinding) { b.Spec.Parameters = raw(`{"role":"writer"}`) },
			warn: []string{"spec.parameters: not changed", "delete it and create another one", "bellhop.gophernetes.io/rebind"}},
		"no parameters any more": {edit: func(b *v1beta1.ServiceBinding) { b.Spec.Parameters = nil }, warn: []string{"spec.parameters: not changed"}},
		"all": {edit: func(b *v1beta1.ServiceBinding) {
			b.Spec.InstanceRef.Name, b.Spec.SecretName, b.Spec.ExternalID, b.Spec.Parameters = "other", "other", "other", nil
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "s", Key: "k"}}}
			b.Spec.SecretTransforms = []v1beta1.SecretTransform{{RemoveKey: &v1beta1.RemoveKeyTransform{Key: "k"}}}
		}, warn: []string{"spec.instanceRef, spec.parameters, spec.parametersFrom, spec.secretName, spec.secretTransforms, spec.externalID: not changed"}},
	} {
		old, asked := binding(full), binding(full)
		c.edit(asked)
		request := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Update}}
		request.OldObject.Raw, request.Object.Raw = marshalled(t, old), marshalled(t, asked)
		response := hook.Handle(t.Context(), request)
		if !response.Allowed {
			t.Errorf("%s: refused: %v", name, response.Result)
		}
		says(t, name, lines(response.Warnings), c.warn...)
	}
	made := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create}}
	made.Object.Raw = marshalled(t, binding(full))
	if response := hook.Handle(t.Context(), made); !response.Allowed || len(response.Warnings) > 0 || len(response.Patches) == 0 {
		t.Errorf("a creation: %+v", response)
	}
}

func marshalled(t *testing.T, obj any) []byte {
	t.Helper()
	raw, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
