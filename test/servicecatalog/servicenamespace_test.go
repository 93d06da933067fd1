// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// serviceNamespace is a namespace with a broker that its objects can use.
type serviceNamespace struct {
	kindSet
	*osbtest.Broker
	namespace string
	object    v1beta1.Broker
	// syncService does everything synchronously. asyncService finishes each operation at the second poll.
	syncService, asyncService osbtest.Service
}

// newServiceNamespace creates a namespace and a broker with uniqueServices, and waits until the broker is Ready. Objects that the
// spec leaves behind are abandoned.
func newServiceNamespace(ctx context.Context, k kindSet, o osbtest.Options, edits ...func(services []osbtest.Service)) *serviceNamespace {
	GinkgoHelper()
	s := newNamespaceWithoutBroker(ctx, k, o, edits...)
	s.object = createReadyBroker(ctx, k, s.namespace, s.Broker)
	return s
}

// newNamespaceWithoutBroker is newServiceNamespace without the broker's object: the server runs, and the operator does not know it.
func newNamespaceWithoutBroker(ctx context.Context, k kindSet, o osbtest.Options, edits ...func(services []osbtest.Service)) *serviceNamespace {
	GinkgoHelper()
	services := uniqueServices()
	services[1].Behavior.Polls = 1
	for _, edit := range edits {
		edit(services)
	}
	o.Services = services
	s := &serviceNamespace{kindSet: k, Broker: startBroker(o), namespace: createNamespace(ctx), syncService: services[0], asyncService: services[1]}
	DeferCleanup(func(ctx SpecContext) { abandonObjects(ctx, s.namespace) })
	return s
}

// abandonObjects removes the finalizers of all objects in a namespace, so that the operator does not retry them in later specs.
func abandonObjects(ctx context.Context, namespace string) {
	GinkgoHelper()
	var bindings v1beta1.ServiceBindingList
	Expect(k8s.List(ctx, &bindings, client.InNamespace(namespace))).To(Succeed())
	var instances v1beta1.ServiceInstanceList
	Expect(k8s.List(ctx, &instances, client.InNamespace(namespace))).To(Succeed())
	var all []client.Object
	for i := range bindings.Items {
		all = append(all, &bindings.Items[i])
	}
	for i := range instances.Items {
		all = append(all, &instances.Items[i])
	}
	runInParallel(len(all), func(i int) { abandonAndDelete(ctx, all[i]) })
}

// abandonAndDelete removes an object without its finalizer's work, as svcat --abandon does.
func abandonAndDelete(ctx context.Context, o client.Object) {
	GinkgoHelper()
	removeFinalizers(ctx, o)
	Expect(client.IgnoreNotFound(k8s.Delete(ctx, o))).To(Succeed())
}

// removeFinalizers removes all finalizers of an object.
func removeFinalizers(ctx context.Context, o client.Object) {
	GinkgoHelper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	Expect(client.IgnoreNotFound(k8s.Patch(ctx, o, patch))).To(Succeed())
}

// createReadyInstance creates an instance of syncService, and waits until it is Ready.
func (s *serviceNamespace) createReadyInstance(ctx context.Context, name string, edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
	GinkgoHelper()
	si := s.createSyncInstance(ctx, name, edits...)
	Eventually(instanceStatus(ctx, si)).Should(beProvisioned(si))
	return si
}

func (s *serviceNamespace) createSyncInstance(ctx context.Context, name string, edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
	GinkgoHelper()
	return s.createInstance(ctx, s.namespace, name, s.syncService.Name, s.syncService.Plans[0].Name, edits...)
}

// neverFinish makes asyncService finish operations only when the spec calls Finish.
func neverFinish(services []osbtest.Service) { services[1].Behavior.Never = true }

// createAsyncInstance creates an instance of asyncService.
func (s *serviceNamespace) createAsyncInstance(ctx context.Context, name string, edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
	GinkgoHelper()
	return s.createInstance(ctx, s.namespace, name, s.asyncService.Name, s.asyncService.Plans[0].Name, edits...)
}

// newInstanceObject returns an instance for specs that create it in another way.
func (s *serviceNamespace) newInstanceObject(name string, service osbtest.Service) *v1beta1.ServiceInstance {
	si := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	if s.isNamespaced() {
		si.Spec.ServiceClassExternalName, si.Spec.ServicePlanExternalName = service.Name, service.Plans[0].Name
	} else {
		si.Spec.ClusterServiceClassExternalName, si.Spec.ClusterServicePlanExternalName = service.Name, service.Plans[0].Name
	}
	return si
}

// statusWithoutBackoff reads the instance, and returns its status. It also clears the time of the next attempt, so that the operator
// retries immediately, unless one of the functions returns true for the attempts.
func statusWithoutBackoff(ctx context.Context, si *v1beta1.ServiceInstance, unless ...func(*v1beta1.Attempts) bool) func() (v1beta1.ServiceInstanceStatus, error) {
	return func() (v1beta1.ServiceInstanceStatus, error) {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(si), si); err != nil {
			return si.Status, err
		}
		status := si.Status
		if a := status.Attempts; a == nil || a.NextTime == nil || slices.ContainsFunc(unless, func(is func(*v1beta1.Attempts) bool) bool { return is(a) }) {
			return status, nil
		}
		return status, patchStatus(ctx, si, func(s *v1beta1.ServiceInstanceStatus) { s.Attempts.NextTime = nil })
	}
}

// patchStatus changes the status of an instance at the API server, unless the operator has written since the instance was read.
func patchStatus(ctx context.Context, si *v1beta1.ServiceInstance, change func(*v1beta1.ServiceInstanceStatus)) error {
	changed := si.DeepCopy()
	change(&changed.Status)
	err := k8s.Status().Patch(ctx, changed, client.MergeFromWithOptions(si, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// setPlan names another plan in the spec.
func (s *serviceNamespace) setPlan(name string) func(*v1beta1.ServiceInstance) {
	return func(si *v1beta1.ServiceInstance) {
		if s.isNamespaced() {
			si.Spec.ServicePlanExternalName = name
		} else {
			si.Spec.ClusterServicePlanExternalName = name
		}
	}
}

// planAtBroker returns the plan that the broker has according to the status.
func planAtBroker(props *v1beta1.ServiceInstancePropertiesState) string {
	return props.ClusterServicePlanExternalID + props.ServicePlanExternalID
}

// requestsAbout returns the operations of the requests about an id, without polls.
func (s *serviceNamespace) requestsAbout(id string) func() []string {
	return func() []string {
		var words []string
		for _, c := range s.callsAbout(id) {
			if c.Operation != osb.PollLastOperation && c.Operation != osb.PollBindingLastOperation {
				words = append(words, string(c.Operation))
			}
		}
		return words
	}
}

// callsAbout returns the calls about an id.
func (s *serviceNamespace) callsAbout(id string, of ...osb.Operation) []osbtest.Call {
	return slices.DeleteFunc(s.Calls(of...), func(c osbtest.Call) bool { return c.ID() != id })
}

// instanceAtBroker returns what the broker has under an id.
func (s *serviceNamespace) instanceAtBroker(id string) osbtest.Instance {
	return s.Holds().Instances[id]
}

// decodeBody decodes the body of a request.
func decodeBody(c osbtest.Call) map[string]any {
	GinkgoHelper()
	body := map[string]any{}
	Expect(json.Unmarshal(c.Body, &body)).To(Succeed())
	return body
}

// beProvisioned matches the status of an instance that the broker has as the spec says.
func beProvisioned(si *v1beta1.ServiceInstance) OmegaMatcher {
	return SatisfyAll(
		HaveField("Conditions", ContainElement(SatisfyAll(HaveField("Type", "Ready"), HaveField("Status", v1beta1.ConditionTrue)))),
		WithTransform(func(s v1beta1.ServiceInstanceStatus) bool {
			return s.ReconciledGeneration == si.Generation && s.ObservedGeneration == si.Generation && s.CurrentOperation == ""
		}, BeTrue()))
}

// describeConditions returns conditions as "Type=Status/Reason".
func describeConditions(list []v1beta1.Condition) []string {
	var words []string
	for _, c := range list {
		words = append(words, c.Type+"="+string(c.Status)+"/"+c.Reason)
	}
	return words
}

// readyConditions are those of an object that is ready with this reason, as describeConditions returns them.
func readyConditions(reason string) []string {
	return []string{"Reconciling=False/" + reason, "Stalled=False/" + reason, "Ready=True/" + reason}
}

func setParameters(text string) func(*v1beta1.ServiceInstance) {
	return func(si *v1beta1.ServiceInstance) { si.Spec.Parameters = &runtime.RawExtension{Raw: []byte(text)} }
}

// addParametersFrom adds the parameters in the key "json" of a Secret.
func addParametersFrom(secret string) func(*v1beta1.ServiceInstance) {
	return func(si *v1beta1.ServiceInstance) {
		si.Spec.ParametersFrom = append(si.Spec.ParametersFrom, v1beta1.ParametersFromSource{SecretKeyRef: &v1beta1.SecretKeyReference{Name: secret, Key: "json"}})
	}
}

func setAnnotation(key, value string) func(*v1beta1.ServiceInstance) {
	return func(si *v1beta1.ServiceInstance) {
		if si.Annotations == nil {
			si.Annotations = map[string]string{}
		}
		si.Annotations[key] = value
	}
}

func setExternalID(id string) func(*v1beta1.ServiceInstance) {
	return func(si *v1beta1.ServiceInstance) { si.Spec.ExternalID = id }
}

func requestUpdate(si *v1beta1.ServiceInstance) { si.Spec.UpdateRequests++ }

// newImpersonatingClient returns a client of a user who may do everything.
func newImpersonatingClient(user rest.ImpersonationConfig) client.Client {
	GinkgoHelper()
	config := rest.CopyConfig(cluster.Config)
	user.Groups = append([]string{"system:masters"}, user.Groups...)
	config.Impersonate = user
	as, err := client.New(config, client.Options{Scheme: k8s.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return as
}

// matchInstanceName matches a provision request for an instance of this name.
func matchInstanceName(name string) func(osbtest.Call) bool {
	return func(c osbtest.Call) bool { return strings.Contains(string(c.Body), `"instance_name":"`+name+`"`) }
}

// gapsBetweenCalls returns the times between successive calls.
func gapsBetweenCalls(calls []osbtest.Call) (gaps []time.Duration) {
	for i := 1; i < len(calls); i++ {
		gaps = append(gaps, calls[i].At.Sub(calls[i-1].At))
	}
	return gaps
}
