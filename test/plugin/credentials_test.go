// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// boundCredentials are what the broker of a spec answers, for shells that are easy to confuse.
var boundCredentials = map[string]any{
	"host": "orders-db", "port": 3306, "database": "orders", "username": "u_1", "password": `it's "$5" & \n`,
	"uri": "mysql://u_1:p%40w@orders-db:3306/orders", "tls.crt": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "tags": []string{"a", "b"},
}

// createBinding creates the ServiceBinding orders in the namespace of a transcript, and waits until it is Ready. It is of an instance of a broker of its
// own, which returns the credentials.
func createBinding(ctx context.Context, t *transcript, credentials any, transforms ...servicecatalogv1beta1.SecretTransform) {
	GinkgoHelper()
	broker := osbtest.New(osbtest.Options{Services: []osbtest.Service{{
		ID: "5f1b1c2a-7c3e-4a3e-9a51-0a3c7d1f6b01", Name: "database", Description: "A database", Bindable: true,
		Plans:    []osbtest.Plan{{ID: "5f1b1c2a-7c3e-4a3e-9a51-0a3c7d1f6b02", Name: "small", Description: "A small one"}},
		Behavior: osbtest.Behavior{Credentials: func(string) any { return credentials }},
	}}})
	Expect(broker.Listen()).To(Succeed())
	DeferCleanup(broker.Close)
	b := &servicecatalogv1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "local"}}
	b.Spec.URL = broker.URL
	createAndDelete(ctx, b)
	instance := &servicecatalogv1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "orders"}}
	instance.Spec.ServiceClassExternalName, instance.Spec.ServicePlanExternalName = "database", "small"
	createAndDelete(ctx, instance)
	binding := &servicecatalogv1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "orders"}}
	binding.Spec.InstanceRef.Name, binding.Spec.SecretName, binding.Spec.SecretTransforms = "orders", "orders-secret", transforms
	createAndDelete(ctx, binding)
	Eventually(ctx, func() ([]servicecatalogv1beta1.Condition, error) {
		err := env.Client.Get(ctx, client.ObjectKeyFromObject(binding), binding)
		return binding.Status.Conditions, err
	}).Should(ContainElement(SatisfyAll(HaveField("Type", "Ready"), HaveField("Status", servicecatalogv1beta1.ConditionTrue))))
}

// createAndDelete creates an object that is deleted after the spec, before its broker ends.
func createAndDelete(ctx context.Context, o client.Object) {
	GinkgoHelper()
	Expect(env.Client.Create(ctx, o)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(client.IgnoreNotFound(env.Client.Delete(ctx, o))).To(Succeed())
		Eventually(ctx, checkGone(ctx, o)).Should(Succeed())
	})
}

// grantRules gives a user a Role in the namespace of a transcript.
func grantRules(ctx context.Context, t *transcript, user string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, GenerateName: user + "-"}, Rules: rules}
	Expect(env.Client.Create(ctx, role)).To(Succeed())
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
	}
	Expect(env.Client.Create(ctx, binding)).To(Succeed())
}

// readBindings and readSecrets are rules of Roles.
var (
	readBindings = rbacv1.PolicyRule{APIGroups: []string{"servicecatalog.k8s.io"}, Resources: []string{"servicebindings"}, Verbs: []string{"get"}}
	readSecrets  = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}
)

// createRunningPod creates a Pod that says it runs: there is no kubelet.
func createRunningPod(ctx context.Context, pod *corev1.Pod) {
	GinkgoHelper()
	pod.Spec.Containers = []corev1.Container{{
		Name: "mysql", Image: "registry.example.com/mysql:v1", Ports: []corev1.ContainerPort{{Name: "mysql", ContainerPort: 13306}},
	}}
	Expect(env.Client.Create(ctx, pod)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { _ = env.Client.Delete(ctx, pod, client.GracePeriodSeconds(0)) })
	pod.Status.Phase, pod.Status.Conditions = corev1.PodRunning, []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	Expect(env.Client.Status().Update(ctx, pod)).To(Succeed())
}

// createMySQLService creates a Service with a port 3306, that leads to the port mysql.
func createMySQLService(ctx context.Context, t *transcript, name string, edit func(*corev1.ServiceSpec)) {
	GinkgoHelper()
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: name}}
	service.Spec.Selector = map[string]string{"app": name}
	service.Spec.Ports = []corev1.ServicePort{{Name: "sql", Port: 3306, TargetPort: intstr.FromString("mysql")}}
	if edit != nil {
		edit(&service.Spec)
	}
	Expect(env.Client.Create(ctx, service)).To(Succeed())
}

var _ = Describe("Credentials", func() {
	It("prints them in each format", func(ctx SpecContext) {
		t := newTranscript(ctx)
		createBinding(ctx, t, boundCredentials)
		t.run(ctx, 0, "kubectl bellhop creds orders")
		t.run(ctx, 0, "kubectl bellhop creds orders --prefix DB_ --upper-case --omit tags,tls.crt")
		t.run(ctx, 0, "kubectl bellhop creds orders -o dotenv")
		t.run(ctx, 0, "kubectl bellhop creds orders -o json")
		t.run(ctx, 0, "kubectl bellhop creds orders -o yaml")
		t.run(ctx, 0, "kubectl bellhop creds orders --key password; echo .")
		t.run(ctx, 0, `eval "$(kubectl bellhop creds orders)"; echo "$password"; printf '%s' "$tls_crt"`)
		t.run(ctx, 0, `kubectl patch secret orders-secret --type=merge -p '{"stringData":{"of-others":"x"}}'`)
		t.run(ctx, 1, "kubectl bellhop creds orders --key of-others")
		t.run(ctx, 0, "kubectl bellhop creds orders --key of-others --all-keys; echo .")
		t.run(ctx, 0, "kubectl bellhop creds orders -o json | grep of-others; kubectl bellhop creds orders -o json --all-keys | grep of-others")
		t.matchGolden("creds")
	})

	It("explains what keeps them from being printed", func(ctx SpecContext) {
		t := newTranscript(ctx)
		createBinding(ctx, t, map[string]any{"db-host": "a", "host": "b"},
			servicecatalogv1beta1.SecretTransform{AddKey: &servicecatalogv1beta1.AddKeyTransform{Key: "db.host", StringValue: new("c")}},
			servicecatalogv1beta1.SecretTransform{AddKey: &servicecatalogv1beta1.AddKeyTransform{Key: "keystore", Value: []byte{0xff, 0xfe}}})
		waiting := &servicecatalogv1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "waiting"}}
		waiting.Spec.InstanceRef.Name = "missing"
		createAndDelete(ctx, waiting)
		Eventually(ctx, func() ([]servicecatalogv1beta1.Condition, error) {
			err := env.Client.Get(ctx, client.ObjectKeyFromObject(waiting), waiting)
			return waiting.Status.Conditions, err
		}).ShouldNot(BeEmpty())
		t.run(ctx, 2, "kubectl bellhop creds")
		t.run(ctx, 2, "kubectl bellhop creds orders -o xml")
		t.run(ctx, 2, "kubectl bellhop creds orders -o json --prefix DB_")
		t.run(ctx, 2, "kubectl bellhop creds orders --prefix 1-")
		t.run(ctx, 2, "kubectl bellhop creds orders --key host -o json")
		t.run(ctx, 1, "kubectl bellhop creds order")
		t.run(ctx, 1, "kubectl bellhop creds orders --key hots")
		t.run(ctx, 1, "kubectl bellhop creds orders")
		t.run(ctx, 0, "kubectl bellhop creds orders --omit db.host")
		t.run(ctx, 1, "kubectl bellhop creds orders --omit db.host --allow keystore")
		t.run(ctx, 1, "kubectl bellhop creds orders --omit db.host --allow KEYSTORE")
		t.run(ctx, 1, "kubectl bellhop creds orders -o json")
		t.run(ctx, 0, "kubectl bellhop creds orders --key keystore | od -An -tx1")
		t.run(ctx, 0, "kubectl bellhop creds orders --omit db.host --omit keystore")
		t.run(ctx, 3, "kubectl bellhop creds waiting")
		t.run(ctx, 1, "kubectl bellhop creds orders --as=jane")
		grantRules(ctx, t, "jane", readBindings)
		t.run(ctx, 1, "kubectl bellhop creds orders --as=jane")
		t.matchGolden("creds-errors")
	})

	It("completes bindings, keys and formats", func(ctx SpecContext) {
		t := newTranscript(ctx)
		createBinding(ctx, t, boundCredentials)
		for _, args := range []string{"creds ''", "creds or", "creds -o ''", "creds orders ''", "creds orders --key p", "creds orders --omit t", "exec ''", "connect ''"} {
			t.run(ctx, 0, "kubectl-bellhop __complete "+args+" 2>/dev/null")
		}
		t.matchGolden("creds-completion")
	})

	It("gives them to a local command", func(ctx SpecContext) {
		t := newTranscript(ctx)
		createBinding(ctx, t, boundCredentials)
		script := filepath.Join(filepath.Dir(t.kubeconfig), "script")
		Expect(os.WriteFile(script, []byte("#!/bin/sh\n"), 0o600)).To(Succeed())
		t.run(ctx, 0, `kubectl bellhop exec orders -- sh -c 'echo "$username logs in to $host with $password"'`)
		t.run(ctx, 0, "kubectl bellhop exec orders --prefix DB_ --upper-case --omit tls.crt -- env | grep ^DB_")
		t.run(ctx, 0, "host=old kubectl bellhop exec orders -- env | grep ^host=")
		t.run(ctx, 0, "echo from standard input | kubectl bellhop exec orders -- cat")
		t.run(ctx, 7, "kubectl bellhop exec orders -- sh -c 'exit 7'")
		t.run(ctx, 0, "kubectl bellhop exec orders -- sh -c 'kill -TERM $$'; echo ended with $?")
		t.run(ctx, 127, "kubectl bellhop exec orders -- no-such-command")
		t.run(ctx, 127, "kubectl bellhop exec orders -- ./no-such-script")
		t.run(ctx, 126, "kubectl bellhop exec orders -- ./script")
		t.run(ctx, 2, "kubectl bellhop exec orders")
		t.run(ctx, 2, "kubectl bellhop exec orders --")
		t.run(ctx, 2, "kubectl bellhop exec orders env")
		t.run(ctx, 2, "kubectl bellhop exec -- env")
		t.run(ctx, 1, "kubectl bellhop exec orders --as=jane -- env")
		t.matchGolden("exec")
	})

	It("keeps them out of command lines", func(ctx SpecContext) {
		t := newTranscript(ctx)
		createBinding(ctx, t, map[string]any{"password": "do-not-show"})
		out, code := t.try(ctx, `kubectl bellhop exec orders -- sh -c 'cat /proc/$$/cmdline'`)
		Expect(code).To(BeZero(), out)
		Expect(out).NotTo(ContainSubstring("do-not-show"))
	})
})

var _ = Describe("Credentials of a service in the cluster", func() {
	connect := func(ctx context.Context, t *transcript, flags string, exitCode int) string {
		GinkgoHelper()
		return t.run(ctx, exitCode, strings.TrimSpace("kubectl bellhop connect orders "+flags))
	}

	It("finds the Pod that the host leads to", func(ctx SpecContext) {
		t := newTranscript(ctx)
		createBinding(ctx, t, map[string]any{"host": "orders-db." + t.namespace + ".svc", "port": 3306, "username": "u"})
		connect(ctx, t, "", 1) // there is no Service
		createMySQLService(ctx, t, "orders-db", nil)
		connect(ctx, t, "", 1) // there are no Pods
		createRunningPod(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "orders-db-0", Labels: map[string]string{"app": "orders-db"}}})
		connect(ctx, t, "", 1) // no kubelet: the API server names the Pod
		ready := func(name string, is bool) discoveryv1.Endpoint {
			return discoveryv1.Endpoint{
				Addresses: []string{"10.1.0.7"}, Conditions: discoveryv1.EndpointConditions{Ready: &is},
				TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: t.namespace, Name: name},
			}
		}
		createRunningPod(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "orders-db-1"}})
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: t.namespace, Name: "orders-db-x", Labels: map[string]string{discoveryv1.LabelServiceName: "orders-db"}},
			AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: new("sql"), Port: new(int32(13306))}},
			Endpoints: []discoveryv1.Endpoint{ready("orders-db-0", false), ready("orders-db-1", true)},
		}
		Expect(env.Client.Create(ctx, slice)).To(Succeed())
		connect(ctx, t, "", 1) // orders-db-1
		connect(ctx, t, "--endpoint orders-db:3307", 1)
		connect(ctx, t, "--endpoint orders-db-0", 1) // a Pod by its name
		t.matchGolden("connect-resolution")
	})

	It("explains why it cannot connect", func(ctx SpecContext) {
		t := newTranscript(ctx)
		createBinding(ctx, t, map[string]any{"host": "db.eu-west-1.rds.example.com", "port": 3306, "password": "do-not-show"})
		createMySQLService(ctx, t, "external", func(s *corev1.ServiceSpec) {
			s.Type, s.ExternalName, s.Selector = corev1.ServiceTypeExternalName, "db.example.com", nil
		})
		connect(ctx, t, "", 1)
		connect(ctx, t, "--endpoint external:3306", 1)
		connect(ctx, t, "--endpoint db:3306", 1)
		connect(ctx, t, "--endpoint db.example.com:3306", 1)
		connect(ctx, t, "--endpoint 192.0.2.7:3306", 1)
		connect(ctx, t, "--endpoint localhost:3306", 1)
		connect(ctx, t, "--endpoint :x", 2)
		connect(ctx, t, "--port 70000", 2)
		connect(ctx, t, "--", 2)
		connect(ctx, t, "env", 2)
		connect(ctx, t, "-- no-such-command", 127)
		connect(ctx, t, "--as=jane", 1)
		grantRules(ctx, t, "jane", readBindings, readSecrets)
		connect(ctx, t, "--as=jane --endpoint external:3306", 1)
		t.matchGolden("connect-errors")
	})

	It("asks for the right to forward ports", func(ctx SpecContext) {
		t := newTranscript(ctx)
		createBinding(ctx, t, map[string]any{"uri": "mysql://u:p@orders-db:3306/app"})
		createMySQLService(ctx, t, "orders-db", nil)
		createRunningPod(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "orders-db-0", Labels: map[string]string{"app": "orders-db"}}})
		reads := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services", "pods"}, Verbs: []string{"get", "list"}}
		grantRules(ctx, t, "jane", readBindings, readSecrets, reads)
		out := connect(ctx, t, "--as=jane", 1)
		Expect(out).To(ContainSubstring(fmt.Sprintf("pods/portforward in namespace %q", t.namespace)))
		t.matchGolden("connect-forbidden")
	})
})
