// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package injection_test checks the admission policies of config/injection at a real API server: what they add to Pods, and what they refuse.
package injection_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/test/internal/suite"
)

const (
	// namespace permits the injection, and elsewhere does not.
	namespace, elsewhere = "shop", "elsewhere"
)

var (
	env = &suite.Suite{}
	// tenant may create Pods, and nothing else.
	tenant client.Client
)

func TestInjection(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(20 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	log.SetLogger(GinkgoLogr)
	RunSpecs(t, "injection")
}

// There is no operator: Pods do not need it.
var _ = BeforeSuite(func(ctx SpecContext) {
	repo, err := local.FindRepo()
	Expect(err).NotTo(HaveOccurred())
	env.Cluster, err = local.Start(context.WithoutCancel(ctx), local.Options{Repo: repo})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(env.Cluster.Stop)
	env.Join(nil)
	for name, labels := range map[string]map[string]string{
		namespace: {v1beta1.InjectionLabel: "enabled", "pod-security.kubernetes.io/enforce": "restricted"},
		elsewhere: {"pod-security.kubernetes.io/enforce": "restricted"},
	} {
		Expect(env.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})).To(Succeed())
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "default"}}
		Expect(client.IgnoreAlreadyExists(env.Client.Create(ctx, account))).To(Succeed())
		grantPods(ctx, name)
	}
	config := *env.Cluster.Config
	config.Impersonate.UserName = "tenant"
	tenant, err = client.New(&config, client.Options{Scheme: env.Client.Scheme()})
	Expect(err).NotTo(HaveOccurred())

	install := func(file string) {
		out, err := env.Kubectl(ctx, "", "apply", "-f", filepath.Join(repo, "config/injection", file))
		Expect(err).NotTo(HaveOccurred(), out)
	}
	orders := func() error { return create(ctx, newPod(annotated("orders", ""))) }
	install("validating_policy.yaml")
	Eventually(orders).Should(MatchError(ContainSubstring("the MutatingAdmissionPolicy bellhop-injection has not added the credentials")))
	install("mutating_policy.yaml")
	Eventually(orders).Should(Succeed())
})

// grantPods permits the tenant to create Pods in a namespace.
func grantPods(ctx context.Context, namespace string) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "pods"}
	Expect(env.Client.Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"create"}}}})).To(Succeed())
	Expect(env.Client.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "tenant"}},
	})).To(Succeed())
}

// newPod returns a Pod that the profile restricted permits, and that asks for credentials.
func newPod(annotations map[string]string, edits ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "app-", Labels: map[string]string{v1beta1.InjectLabel: "true"}, Annotations: annotations}}
	pod.Spec = corev1.PodSpec{
		AutomountServiceAccountToken: new(false), Containers: []corev1.Container{container("app")},
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
	}
	for _, edit := range edits {
		edit(pod)
	}
	return pod
}

func container(name string, env ...corev1.EnvVar) corev1.Container {
	return corev1.Container{Name: name, Image: "app", Env: env, SecurityContext: &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}}
}

// mountData mounts a writable volume at some paths of the first container.
func mountData(pod *corev1.Pod, paths ...string) {
	pod.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	for _, path := range paths {
		pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "data", MountPath: path})
	}
}

var (
	emptyDir  = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	configMap = corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "app"}}}
	secret    = corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "app"}}
	claim     = corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "app", ReadOnly: true}}
)

// mountAboveRoot mounts a volume, and the read-only one "claim", in a container with the root /etc/app/bindings.
func mountAboveRoot(source corev1.VolumeSource, mounts ...corev1.VolumeMount) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: source}, {Name: "claim", VolumeSource: claim}}
		for _, mount := range mounts {
			mount.Name = cmp.Or(mount.Name, "data")
			pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts, mount)
		}
		pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "SERVICE_BINDING_ROOT", Value: "/etc/app/bindings"}}
	}
}

// create lets the tenant create a Pod in a dry run, and reads the result.
func create(ctx context.Context, pod *corev1.Pod) error {
	return tenant.Create(ctx, pod, client.DryRunAll)
}

// describe returns what a Pod has, a line each: volumes, and of each container mounts and variables.
func describe(pod *corev1.Pod) (lines []string) {
	for _, v := range pod.Spec.Volumes {
		if v.Secret != nil {
			lines = append(lines, fmt.Sprintf("volume %s of Secret %s", v.Name, v.Secret.SecretName))
		}
	}
	for _, c := range append(append([]corev1.Container{}, pod.Spec.InitContainers...), pod.Spec.Containers...) {
		for _, m := range c.VolumeMounts {
			lines = append(lines, fmt.Sprintf("%s: %s at %s, read-only %t", c.Name, m.Name, m.MountPath, m.ReadOnly))
		}
		for _, e := range c.Env {
			value := e.Value
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				value = e.ValueFrom.SecretKeyRef.Name + "/" + e.ValueFrom.SecretKeyRef.Key
			}
			lines = append(lines, fmt.Sprintf("%s: %s=%s", c.Name, e.Name, value))
		}
	}
	return lines
}

func annotated(bindings, variables string) map[string]string {
	annotations := map[string]string{v1beta1.InjectBindingsAnnotation: bindings}
	if variables != "" {
		annotations[v1beta1.InjectEnvAnnotation] = variables
	}
	return annotations
}

func numbered(n int, format string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(all, ",")
}

// block returns the YAML of a page that contains a line.
func block(page []byte, line string) []byte {
	for text := range strings.SplitSeq(string(page), "```") {
		if body, ok := strings.CutPrefix(text, "yaml\n"); ok && strings.Contains(body, line+"\n") {
			return []byte(body)
		}
	}
	Fail("no block has " + line)
	return nil
}

var _ = Describe("A Pod that asks for credentials", func() {
	DescribeTable("has them", func(ctx SpecContext, bindings, variables string, edit func(*corev1.Pod), want ...string) {
		pod := newPod(annotated(bindings, variables), edit)
		Expect(create(ctx, pod)).To(Succeed())
		Expect(describe(pod)).To(Equal(want))

		By("adding nothing to a Pod that has them, which the tenant may write where nothing is injected too")
		for _, in := range []string{namespace, elsewhere} {
			again := newPod(annotated(bindings, variables), func(again *corev1.Pod) { again.Namespace, again.Spec = in, pod.Spec })
			Expect(create(ctx, again)).To(Succeed())
			Expect(describe(again)).To(Equal(want))
		}
	},
		Entry("of one binding", "orders", "", func(*corev1.Pod) {},
			"volume bellhop-binding-0 of Secret orders", "app: bellhop-binding-0 at /bindings/orders, read-only true", "app: SERVICE_BINDING_ROOT=/bindings"),
		Entry("of two bindings, with a Secret of another name, and variables", "orders=orders-db, cache.eu", "DB_URL=orders/uri, CACHE=cache.eu/host", func(*corev1.Pod) {},
			"volume bellhop-binding-0 of Secret orders-db", "volume bellhop-binding-1 of Secret cache.eu",
			"app: bellhop-binding-0 at /bindings/orders, read-only true", "app: bellhop-binding-1 at /bindings/cache.eu, read-only true",
			"app: SERVICE_BINDING_ROOT=/bindings", "app: DB_URL=orders-db/uri", "app: CACHE=cache.eu/host"),
		Entry("in each container and init container, below the root that one has", "orders", "DB_URL=orders/uri", func(pod *corev1.Pod) {
			pod.Spec.InitContainers = []corev1.Container{container("migrate")}
			pod.Spec.Containers = append(pod.Spec.Containers, container("sidecar", corev1.EnvVar{Name: "SERVICE_BINDING_ROOT", Value: "/etc/bindings"}, corev1.EnvVar{Name: "LOG", Value: "debug"}))
		},
			"volume bellhop-binding-0 of Secret orders",
			"migrate: bellhop-binding-0 at /bindings/orders, read-only true", "migrate: SERVICE_BINDING_ROOT=/bindings", "migrate: DB_URL=orders/uri",
			"app: bellhop-binding-0 at /bindings/orders, read-only true", "app: SERVICE_BINDING_ROOT=/bindings", "app: DB_URL=orders/uri",
			"sidecar: bellhop-binding-0 at /etc/bindings/orders, read-only true", "sidecar: DB_URL=orders/uri", "sidecar: SERVICE_BINDING_ROOT=/etc/bindings", "sidecar: LOG=debug"),
		// Kubernetes expands $(NAME) only of variables that stand before (F-B19).
		Entry("before the variables of its own that refer to them", "orders", "DB_USER=orders/username, DB_PASSWORD=orders/password", func(pod *corev1.Pod) {
			url := corev1.EnvVar{Name: "DB_URL", Value: "mysql://$(DB_USER):$(DB_PASSWORD)@db"}
			pod.Spec.InitContainers = []corev1.Container{container("migrate", url)}
			pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "CONFIG", Value: "$(SERVICE_BINDING_ROOT)/orders"}, url}
		},
			"volume bellhop-binding-0 of Secret orders",
			"migrate: bellhop-binding-0 at /bindings/orders, read-only true", "migrate: SERVICE_BINDING_ROOT=/bindings",
			"migrate: DB_USER=orders/username", "migrate: DB_PASSWORD=orders/password", "migrate: DB_URL=mysql://$(DB_USER):$(DB_PASSWORD)@db",
			"app: bellhop-binding-0 at /bindings/orders, read-only true", "app: SERVICE_BINDING_ROOT=/bindings",
			"app: DB_USER=orders/username", "app: DB_PASSWORD=orders/password", "app: CONFIG=$(SERVICE_BINDING_ROOT)/orders", "app: DB_URL=mysql://$(DB_USER):$(DB_PASSWORD)@db"),
		Entry("beside its own value of one of them", "orders", "DB_USER=orders/username, DB_PASSWORD=orders/password", func(pod *corev1.Pod) {
			password := corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "orders"}, Key: "password"}}
			pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "DB_PASSWORD", ValueFrom: &password}}
		},
			"volume bellhop-binding-0 of Secret orders", "app: bellhop-binding-0 at /bindings/orders, read-only true", "app: SERVICE_BINDING_ROOT=/bindings",
			"app: DB_USER=orders/username", "app: DB_PASSWORD=orders/password"),
		Entry("below the last of two roots, whose path has one form (F-B20)", "orders", "", func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "SERVICE_BINDING_ROOT", Value: "/first"}, {Name: "SERVICE_BINDING_ROOT", Value: "/etc//bindings/./"}}
		},
			"volume bellhop-binding-0 of Secret orders", "app: bellhop-binding-0 at /etc/bindings/orders, read-only true",
			"app: SERVICE_BINDING_ROOT=/first", "app: SERVICE_BINDING_ROOT=/etc//bindings/./"),
		Entry("once, where it has mounted them at another form of the path (F-B20)", "orders", "", func(pod *corev1.Pod) {
			pod.Spec.Volumes = []corev1.Volume{{Name: "bellhop-binding-0", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "orders"}}}}
			pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "bellhop-binding-0", MountPath: "/bindings//orders/", ReadOnly: true}}
		},
			"volume bellhop-binding-0 of Secret orders", "app: bellhop-binding-0 at /bindings//orders/, read-only true", "app: SERVICE_BINDING_ROOT=/bindings"),
		Entry("in a writable volume at the root, and beside mounts of similar names", "orders", "", func(pod *corev1.Pod) {
			mountData(pod, "/bindings", "/bindings/orders-2", "/bindings-2/orders")
		},
			"volume bellhop-binding-0 of Secret orders", "app: data at /bindings, read-only false", "app: data at /bindings/orders-2, read-only false",
			"app: data at /bindings-2/orders, read-only false", "app: bellhop-binding-0 at /bindings/orders, read-only true", "app: SERVICE_BINDING_ROOT=/bindings"),
		Entry("in a native sidecar, on Windows", "orders", "", func(pod *corev1.Pod) {
			pod.Spec.OS = &corev1.PodOS{Name: corev1.Windows}
			pod.Spec.SecurityContext.SeccompProfile = nil
			proxy := container("proxy")
			proxy.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
			pod.Spec.InitContainers = []corev1.Container{proxy}
			for _, c := range []*corev1.Container{&pod.Spec.InitContainers[0], &pod.Spec.Containers[0]} {
				c.SecurityContext = nil
			}
		},
			"volume bellhop-binding-0 of Secret orders",
			"proxy: bellhop-binding-0 at /bindings/orders, read-only true", "proxy: SERVICE_BINDING_ROOT=/bindings",
			"app: bellhop-binding-0 at /bindings/orders, read-only true", "app: SERVICE_BINDING_ROOT=/bindings"),
		Entry("of a Secret of its namespace that no binding has, as it may write it itself", "orders=token-of-admin", "T=orders/token", func(*corev1.Pod) {},
			"volume bellhop-binding-0 of Secret token-of-admin", "app: bellhop-binding-0 at /bindings/orders, read-only true", "app: SERVICE_BINDING_ROOT=/bindings", "app: T=token-of-admin/token"),
		Entry("beside its own volumes and mounts", "orders", "", func(pod *corev1.Pod) {
			pod.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
			pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
		},
			"volume bellhop-binding-0 of Secret orders", "app: data at /data, read-only false", "app: bellhop-binding-0 at /bindings/orders, read-only true", "app: SERVICE_BINDING_ROOT=/bindings"),
	)

	DescribeTable("is refused", func(ctx SpecContext, annotations map[string]string, edit func(*corev1.Pod), says string) {
		Expect(create(ctx, newPod(annotations, edit))).To(MatchError(ContainSubstring(says)))
	},
		Entry("without bindings", map[string]string{}, func(*corev1.Pod) {}, `bellhop.gophernetes.io/bindings is missing: name the ServiceBindings whose credentials the Pod needs, such as "orders, cache"`),
		Entry("with 17 bindings", annotated(numbered(17, "b%d"), ""), func(*corev1.Pod) {}, "bellhop.gophernetes.io/bindings has more than 16 entries: a Pod can have the credentials of 16 ServiceBindings"),
		Entry("with a wrong name", annotated("orders, Cache", ""), func(*corev1.Pod) {}, `bellhop.gophernetes.io/bindings has the entry "Cache": it has to be NAME of a ServiceBinding, or NAME=SECRET`),
		Entry("with a Secret of another namespace", annotated("orders=kube-system/admin", ""), func(*corev1.Pod) {}, `has the entry "orders=kube-system/admin"`),
		Entry("with a directory above the root", annotated("..", ""), func(*corev1.Pod) {}, `has the entry "..": it has to be NAME`),
		Entry("with a name that is no name of an object", annotated("a..b", ""), func(*corev1.Pod) {}, `has the entry "a..b"`),
		Entry("with a name that is too long", annotated(strings.Repeat("a", 254), ""), func(*corev1.Pod) {}, `has the entry "`+strings.Repeat("a", 100)+`…": it has to be NAME`),
		Entry("with a large annotation", annotated(strings.Repeat("a,", 100_000)+"a", ""), func(*corev1.Pod) {}, "has more than 16 entries"),
		Entry("with large entries", annotated("orders", strings.Repeat(strings.Repeat("a", 3000)+",", 60)), func(*corev1.Pod) {}, `has the entry "`+strings.Repeat("a", 100)+`…": it has to be VARIABLE=BINDING/KEY`),
		Entry("with no name", annotated("", ""), func(*corev1.Pod) {}, `has the entry ""`),
		Entry("with a binding twice", annotated("orders, orders=other", ""), func(*corev1.Pod) {}, `has "orders" more than once`),
		Entry("with 65 variables", annotated("orders", numbered(65, "V%d=orders/uri")), func(*corev1.Pod) {}, "bellhop.gophernetes.io/env has more than 64 entries: a Pod can have 64 variables"),
		Entry("with a wrong variable", annotated("orders", "DB-URL=orders/uri"), func(*corev1.Pod) {}, `bellhop.gophernetes.io/env has the entry "DB-URL=orders/uri": it has to be VARIABLE=BINDING/KEY`),
		Entry("with a key that is a path", annotated("orders", "DB_URL=orders/../token"), func(*corev1.Pod) {}, `has the entry "DB_URL=orders/../token"`),
		Entry("with a variable twice", annotated("orders", "URL=orders/uri, URL=orders/url"), func(*corev1.Pod) {}, "bellhop.gophernetes.io/env has the variable URL more than once: name each variable once"),
		Entry("with the annotation that says it has all", map[string]string{v1beta1.InjectBindingsAnnotation: "Orders", v1beta1.InjectedAnnotation: "true"}, func(*corev1.Pod) {}, `has the entry "Orders"`),
		Entry("with the variable of the directory", annotated("orders", "SERVICE_BINDING_ROOT=orders/root"), func(*corev1.Pod) {}, "has the variable SERVICE_BINDING_ROOT, which is the directory of the credentials: use another name"),
		Entry("with a variable of another binding", annotated("orders", "DB_URL=cache/uri"), func(*corev1.Pod) {}, `has the entry "DB_URL=cache/uri"`),
		Entry("with a volume of the name", annotated("orders", ""), func(pod *corev1.Pod) {
			pod.Spec.Volumes = []corev1.Volume{{Name: "bellhop-binding-0", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		}, "spec.volumes: bellhop-binding-0 is the name of a volume for a ServiceBinding: rename the volume of the Pod"),
		Entry("with the variable", annotated("orders", "DB_URL=orders/uri"), func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "DB_URL", Value: "mine"}}
		}, `container "app" sets a variable itself which bellhop.gophernetes.io/env has too: remove one of the two`),
		Entry("with a root that is not in the Pod", annotated("orders", ""), func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "SERVICE_BINDING_ROOT", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}}
		}, `SERVICE_BINDING_ROOT of container "app" has no value that begins with "/" and is without "$(" and "..": set an absolute path as its value, or remove it for /bindings`),
		Entry("with a relative root", annotated("orders", ""), func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "SERVICE_BINDING_ROOT", Value: "bindings"}}
		}, `SERVICE_BINDING_ROOT of container "app" has no value that begins with "/"`),
		Entry("with a root that refers to a variable, which no mount does (F-B19)", annotated("orders", ""), func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "BASE", Value: "etc"}, {Name: "SERVICE_BINDING_ROOT", Value: "/$(BASE)/bindings"}}
		}, `is without "$(" and "..": set an absolute path as its value`),
		Entry("with a root that goes up", annotated("orders", ""), func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "SERVICE_BINDING_ROOT", Value: "/etc/../bindings"}}
		}, `is without "$(" and "..": set an absolute path as its value`),
		Entry("with a writable mount of the volume", annotated("orders", ""), func(pod *corev1.Pod) {
			pod.Spec.Volumes = []corev1.Volume{{Name: "bellhop-binding-0", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "orders"}}}}
			pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "bellhop-binding-0", MountPath: "/bindings/orders"}}
		}, `container "app" has another mount at "/bindings/orders", which is a path of a ServiceBinding`),
		Entry("with a hostPath, as any Pod is", annotated("orders", ""), func(pod *corev1.Pod) {
			pod.Spec.Volumes = []corev1.Volume{{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
		}, "violates PodSecurity"),
	)

	// The kubelet and the runtime resolve a path before they mount (F-B20).
	DescribeTable("is refused with another mount", func(ctx SpecContext, path, shown string) {
		pod := newPod(annotated("orders", ""), func(pod *corev1.Pod) { mountData(pod, path) })
		Expect(create(ctx, pod)).To(MatchError(ContainSubstring(`spec.containers: container "app" has ` + shown)))

		By("refusing it in an init container")
		pod = newPod(annotated("orders", ""), func(pod *corev1.Pod) {
			mountData(pod, path)
			pod.Spec.InitContainers, pod.Spec.Containers = []corev1.Container{pod.Spec.Containers[0]}, []corev1.Container{container("main")}
		})
		Expect(create(ctx, pod)).To(MatchError(ContainSubstring(`spec.containers: container "app" has ` + shown)))
	},
		Entry("at the path", "/bindings/orders",
			`another mount at "/bindings/orders", which is a path of a ServiceBinding, by default /bindings/NAME: mount it elsewhere, or set SERVICE_BINDING_ROOT of the container`),
		Entry("with two slashes", "/bindings//orders", `another mount at "/bindings//orders", which is a path`),
		Entry("with a slash at the end", "/bindings/orders/", `another mount at "/bindings/orders/", which is a path`),
		Entry("with a dot", "/bindings/./orders", `another mount at "/bindings/./orders", which is a path`),
		Entry("that is relative to the root directory", "bindings/orders", `another mount at "bindings/orders", which is a path`),
		Entry("as Windows writes it", `c:\bindings\orders`, `another mount at "c:\bindings\orders", which is a path`),
		Entry("below the path, in a read-only volume", "/bindings/orders/tls", `another mount at "/bindings/orders/tls", which is a path`),
		Entry("that goes up", "/data/../bindings/orders", `a mount at "/data/../bindings/orders": write the path without ".."`),
		Entry("of a long path", "/bindings/orders/"+strings.Repeat("a", 1000), `another mount at "/bindings/orders/`+strings.Repeat("a", 83)+`…", which is a path`),
	)

	DescribeTable("has them in a volume above the root", func(ctx SpecContext, source corev1.VolumeSource, mounts ...corev1.VolumeMount) {
		pod := newPod(annotated("orders", ""), mountAboveRoot(source, mounts...))
		Expect(create(ctx, pod)).To(Succeed())
		Expect(describe(pod)).To(ContainElement("app: bellhop-binding-0 at /etc/app/bindings/orders, read-only true"))
	},
		// The kubelet makes the directories in these.
		Entry("of a ConfigMap", configMap, corev1.VolumeMount{MountPath: "/etc/app"}),
		Entry("of a ConfigMap, at the root", configMap, corev1.VolumeMount{MountPath: "/etc/app/bindings"}),
		Entry("of a ConfigMap, mounted as read-only", configMap, corev1.VolumeMount{MountPath: "/etc/app", ReadOnly: true}),
		Entry("of a Secret", secret, corev1.VolumeMount{MountPath: "/etc/app"}),
		Entry("of projected sources", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}, corev1.VolumeMount{MountPath: "/etc/app"}),
		Entry("of the downward API", corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{}}, corev1.VolumeMount{MountPath: "/etc/app"}),
		Entry("of a ConfigMap, in a read-only claim", configMap, corev1.VolumeMount{Name: "claim", MountPath: "/etc"}, corev1.VolumeMount{MountPath: "/etc/app"}),
		Entry("that is writable, in a read-only claim", emptyDir, corev1.VolumeMount{MountPath: "/etc/app/bindings"}, corev1.VolumeMount{Name: "claim", MountPath: "/etc/app"}),
	)

	DescribeTable("is refused with a read-only volume (F-B20)", func(ctx SpecContext, path string, source corev1.VolumeSource, mounts ...corev1.VolumeMount) {
		Expect(create(ctx, newPod(annotated("orders", ""), mountAboveRoot(source, mounts...)))).To(MatchError(ContainSubstring(
			`spec.containers: container "app" has a read-only volume at "` + path +
				`", in which no directory for credentials can be made: mount it elsewhere, or set SERVICE_BINDING_ROOT of the container`)))
	},
		Entry("at the root", "/etc/app/bindings", emptyDir, corev1.VolumeMount{MountPath: "/etc/app/bindings", ReadOnly: true}),
		Entry("at another form of the root", "/etc//app/bindings/", emptyDir, corev1.VolumeMount{MountPath: "/etc//app/bindings/", ReadOnly: true}),
		Entry("above the root", "/etc/app", emptyDir, corev1.VolumeMount{MountPath: "/etc/app", ReadOnly: true}),
		Entry("of a claim", "/etc/app", claim, corev1.VolumeMount{MountPath: "/etc/app"}),
		Entry("of a claim, in a writable volume", "/etc/app", emptyDir, corev1.VolumeMount{Name: "claim", MountPath: "/etc/app"}, corev1.VolumeMount{MountPath: "/etc"}),
		Entry("of a driver", "/etc/app", corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "d", ReadOnly: new(true)}}, corev1.VolumeMount{MountPath: "/etc/app"}),
		Entry("of an image", "/etc/app", corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "data"}}, corev1.VolumeMount{MountPath: "/etc/app"}),
		// The kubelet makes directories in the root of the volume, for paths as they are written.
		Entry("of a ConfigMap with a subPath", "/etc/app/bindings", configMap, corev1.VolumeMount{MountPath: "/etc/app/bindings", SubPath: "config"}),
		Entry("of a Secret with a subPathExpr", "/etc/app", secret, corev1.VolumeMount{MountPath: "/etc/app", SubPathExpr: "$(SERVICE_BINDING_ROOT)"}),
		Entry("of a ConfigMap at a relative path", "etc/app", configMap, corev1.VolumeMount{MountPath: "etc/app"}),
	)

	It("has as much as the limits permit, in many containers", func(ctx SpecContext) {
		binding := strings.Repeat("b", 250) + "%03d"
		inClaim := mountAboveRoot(configMap, corev1.VolumeMount{Name: "claim", MountPath: "/etc"}, corev1.VolumeMount{MountPath: "/etc/app"})
		pod := newPod(annotated(numbered(16, binding), numbered(64, "V%d="+fmt.Sprintf(binding, 15)+"/"+strings.Repeat("k", 200))), inClaim, func(pod *corev1.Pod) {
			for i := range 20 {
				for name, containers := range map[string]*[]corev1.Container{"init": &pod.Spec.InitContainers, "more": &pod.Spec.Containers} {
					more := *pod.Spec.Containers[0].DeepCopy()
					more.Name = fmt.Sprintf("%s-%d", name, i)
					*containers = append(*containers, more)
				}
			}
		})
		Expect(create(ctx, pod)).To(Succeed())
		Expect(describe(pod)).To(HaveLen(16 + 41*(2+16+1+64)))

		By("permitting the Pod that has them")
		again := newPod(pod.Annotations, func(again *corev1.Pod) { again.Spec = pod.Spec })
		Expect(create(ctx, again)).To(Succeed())
		Expect(describe(again)).To(Equal(describe(pod)))
	})

	It("has what the how-to writes by hand for older versions", func(ctx SpecContext) {
		page, err := os.ReadFile(filepath.Join("..", "..", "docs", "how-to", "services", "inject-credentials.md"))
		Expect(err).NotTo(HaveOccurred())
		var deployment appsv1.Deployment
		Expect(yaml.Unmarshal(block(page, "kind: Deployment"), &deployment)).To(Succeed())
		var byHand corev1.Pod
		Expect(yaml.Unmarshal(block(page, "kind: Pod"), &byHand)).To(Succeed())

		template := deployment.Spec.Template
		pod := newPod(template.Annotations, func(pod *corev1.Pod) {
			pod.Labels = template.Labels
			pod.Spec.Containers[0].Name = template.Spec.Containers[0].Name
		})
		Expect(create(ctx, pod)).To(Succeed())
		Expect(describe(pod)).To(Equal(describe(&byHand)))
	})

	It("is not permitted to open a Namespace", func(ctx SpecContext) {
		open := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{%q:"enabled"}}}`, v1beta1.InjectionLabel))
		Expect(tenant.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: elsewhere}}, open)).To(MatchError(apierrors.IsForbidden, "IsForbidden"))
	})

	It("is as it was without the label of the Pod, or in a Namespace that does not permit it", func(ctx SpecContext) {
		for _, edit := range []func(*corev1.Pod){
			func(pod *corev1.Pod) { pod.Labels = nil },
			func(pod *corev1.Pod) { pod.Namespace = elsewhere },
		} {
			pod := newPod(annotated("orders", "DB_URL=orders/uri"), edit)
			Expect(create(ctx, pod)).To(Succeed())
			Expect(describe(pod)).To(BeEmpty())
		}
	})
})
