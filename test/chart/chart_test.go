// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chart_test renders the Helm chart, and compares it with config/.
package chart_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/gophernetes/bellhop/hack/local"
	"github.com/gophernetes/bellhop/internal/version"
)

const (
	namespace = "bellhop-system"
	// kubeVersion is given since Helm 3 that is built without the flags of its Makefile assumes Kubernetes 1.20, which the chart refuses.
	kubeVersion = "1.36.0"
)

// F-U17: the chart has the same objects for the oldest version of Kubernetes that is supported, and refuses older ones.
func TestVersionsOfKubernetes(t *testing.T) {
	newest, err := helm(t, "", "template", "bellhop", "charts/bellhop")
	if err != nil {
		t.Fatal(newest)
	}
	if oldest, err := helm(t, "", "template", "bellhop", "charts/bellhop", "--kube-version="+version.OldestKubernetes+".0"); err != nil || oldest != newest {
		t.Errorf("%v\n%s", err, oldest)
	}
	if out, err := helm(t, "", "template", "bellhop", "charts/bellhop", "--kube-version=1.30.14"); err == nil || !strings.Contains(out, ">=1.31.0-0") {
		t.Errorf("%v\n%s", err, out)
	}
}

// F-U29: what the chart of a release shows and renders leads to the pages of its version.
func TestLinksOfARelease(t *testing.T) {
	out := t.TempDir()
	if printed, err := exec.CommandContext(t.Context(), filepath.Join(repo(t), "hack/package.sh"), "v1.2.3", out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	archive := filepath.Join(out, "bellhop-1.2.3.tgz")
	files, err := exec.CommandContext(t.Context(), "tar", "xzOf", archive).Output()
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`github\.com/gophernetes/bellhop/blob/([^/]*)/\S*`)
	found := links.FindAllStringSubmatch(string(files), -1)
	for _, link := range found {
		if link[1] != "v1.2.3" {
			t.Errorf("the chart leads to %s", link[0])
		}
	}
	if relative := regexp.MustCompile(`\]\(\.\.[^)]*\)`).FindString(string(files)); relative != "" || len(found) < 15 {
		t.Errorf("the chart has %d links, and %q", len(found), relative)
	}
	rendered, err := helm(t, "{prometheus: {rules: {enabled: true}}}", "template", "bellhop", archive)
	if err != nil || !strings.Contains(rendered, "runbook_url: https://github.com/gophernetes/bellhop/blob/v1.2.3/docs/how-to/runbooks.md#bellhopabsent\n") {
		t.Errorf("%v\n%s", err, rendered)
	}
}

// repo returns the repository's path.
func repo(t *testing.T) string {
	t.Helper()
	path, err := local.FindRepo()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var programs sync.Map // paths by module

// run runs a tool.
func run(t *testing.T, module, tool string, args ...string) (string, error) {
	t.Helper()
	path, ok := programs.Load(module)
	if !ok {
		found, err := local.FindTool(t.Context(), module, tool)
		if err != nil {
			t.Fatal(err)
		}
		path = found
		programs.Store(module, path)
	}
	cmd := exec.CommandContext(t.Context(), path.(string), args...)
	cmd.Dir = repo(t)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	return string(out) + stderr.String(), err
}

// helm runs Helm 4, and checks that Helm 3 prints the same, or fails as well; values are YAML.
func helm(t *testing.T, values string, args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{args[0], "--kube-version=" + kubeVersion}, append(args[1:], "--namespace="+namespace, "--values="+file)...)
	out, err := run(t, "hack/tools/helm", "helm", args...)
	out3, err3 := run(t, "hack/tools/helm3", "helm", args...)
	if (err == nil) != (err3 == nil) || err == nil && !slices.Equal(sortedLines(out), sortedLines(out3)) {
		t.Errorf("helm %s\nHelm 4, %v:\n%s\nHelm 3, %v:\n%s", args, err, out, err3, out3)
	}
	return out, err
}

// sortedLines returns the lines that are not blank in alphabetical order: versions of Helm differ in blank lines and in the order of objects.
func sortedLines(text string) []string {
	lines := slices.Sorted(strings.SplitSeq(text, "\n"))
	return slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" })
}

// render renders the chart.
func render(t *testing.T, values string) []*unstructured.Unstructured {
	t.Helper()
	out, err := helm(t, values, "template", "bellhop", "charts/bellhop")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return decode(t, out)
}

// build builds a directory of config/, or an overlay.
func build(t *testing.T, dir string) []*unstructured.Unstructured {
	t.Helper()
	out, err := run(t, "hack/tools", "kustomize", "build", dir, "--load-restrictor=LoadRestrictionsNone")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return decode(t, out)
}

func decode(t *testing.T, documents string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for document := range strings.SplitSeq(documents, "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if len(o) > 0 {
			objects = append(objects, &unstructured.Unstructured{Object: o})
		}
	}
	return objects
}

// normalize returns the objects by kind and name, as JSON values, without what differs on purpose: labels that say who manages them, the
// namespace, which Helm does not create, and the annotation by which Helm keeps CRDs.
func normalize(t *testing.T, objects []*unstructured.Unstructured) map[string]any {
	t.Helper()
	byName := map[string]any{}
	for _, o := range objects {
		if o.GetKind() == "Namespace" {
			continue
		}
		labels, annotations := o.GetLabels(), o.GetAnnotations()
		for _, key := range []string{"app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "app.kubernetes.io/version", "helm.sh/chart"} {
			delete(labels, key)
		}
		delete(annotations, "helm.sh/resource-policy")
		o.SetLabels(labels)
		o.SetAnnotations(annotations)
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(data, &value); err != nil {
			t.Fatal(err)
		}
		name := o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
		if byName[name] != nil {
			t.Errorf("%s is there twice", name)
		}
		byName[name] = value
	}
	return byName
}

// The chart and config/ install the same objects, with the same content.
func TestChartEqualsConfig(t *testing.T) {
	for _, test := range []struct{ name, values, overlay string }{
		{"default", "", "resources: [../default]"},
		{"cert-manager", "certificates: {certManager: {enabled: true}}", "resources: [../certmanager]"},
		{"some namespaces", "namespaces: [team-a, team-b]\ncertificates: {certManager: {enabled: true}}", "resources: [../namespaced]"},
		{"aggregated roles", "aggregatedRoles: true", "resources: [../default]\ncomponents: [../aggregated-roles]"},
		{"Alerts by label", "pageByLabel: {enabled: true}", "resources: [../default]\ncomponents: [../page-by-label]"},
		{"AlertSources", "ingest: {enabled: true}", "resources: [../default]\ncomponents: [../ingest, ../ingress-policy]"},
		{"AlertSources without a network policy", "ingest: {enabled: true}\nnetworkPolicy: {ingress: {enabled: false}}", "resources: [../default]\ncomponents: [../ingest]"},
		{"AlertSources with cert-manager and network policy", "ingest: {enabled: true}\ncertificates: {certManager: {enabled: true}}\nnetworkPolicy: {enabled: true}",
			"resources: [../certmanager, ../network-policy]\ncomponents: [../ingest]"},
		{"AlertSources of some namespaces", "ingest: {enabled: true}\nnamespaces: [team-a, team-b]\ncertificates: {certManager: {enabled: true}}",
			"resources: [../namespaced]\ncomponents: [../ingest, ../ingress-policy]"},
		{"credentials in Pods", "injection: {enabled: true}", "resources: [../default]\ncomponents: [../injection]"},
		{"the pager alone", "servicecatalog: {enabled: false}\npageByLabel: {enabled: true}\ningest: {enabled: true}",
			"resources: [../pager]\ncomponents: [../page-by-label, ../ingest, ../ingress-policy]"},
		{"the right to get Secrets", "servicecatalog: {enabled: false}\npager: {watchSecrets: false}", "resources: [../pager]\ncomponents: [../unwatched-secrets]"},
		{"services alone", "pager: {enabled: false}", "resources: [../servicecatalog]"},
		{"monitoring and network policy", "prometheus: {serviceMonitor: {enabled: true}, rules: {enabled: true}}\ngrafana: {dashboard: {enabled: true}}\nnetworkPolicy: {enabled: true}",
			"resources: [../default, ../prometheus, ../network-policy]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			overlay := filepath.Join(copyConfig(t), "overlay")
			if err := os.Mkdir(overlay, 0o750); err != nil {
				t.Fatal(err)
			}
			kustomization := test.overlay + "\nimages: [{name: bellhop, newName: example.com/bellhop, newTag: v1}]\n"
			if err := os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
				t.Fatal(err)
			}
			want := normalize(t, build(t, overlay))
			got := normalize(t, render(t, "image: {repository: example.com/bellhop, tag: v1}\n"+test.values))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("config (-) and chart (+) differ:\n%s", diff)
			}
		})
	}
}

// networkPolicies returns the network policies of objects.
func networkPolicies(t *testing.T, objects []*unstructured.Unstructured) (policies []networkingv1.NetworkPolicy) {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() == "NetworkPolicy" {
			var p networkingv1.NetworkPolicy
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, &p, true); err != nil {
				t.Fatal(err)
			}
			policies = append(policies, p)
		}
	}
	return policies
}

// F-P52: the listener comes with a network policy that an upgrade of an installation may add: requests of the operator, such as mail, and those
// to a broker at any port, are not restricted, and each port that a container serves is reached as before.
func TestTheNetworkPolicyOfTheListenerCutsNothingOff(t *testing.T) {
	const values = "ingest: {enabled: true}"
	policies := networkPolicies(t, render(t, values))
	if len(policies) != 1 {
		t.Fatalf("%d network policies", len(policies))
	}
	policy := policies[0]
	if !slices.Equal(policy.Spec.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}) || len(policy.Spec.Egress) != 0 {
		t.Errorf("it restricts %v, egress %v", policy.Spec.PolicyTypes, policy.Spec.Egress)
	}
	d := deployment(t, values)
	if !maps.Equal(policy.Spec.PodSelector.MatchLabels, d.Spec.Selector.MatchLabels) || len(policy.Spec.PodSelector.MatchExpressions) != 0 {
		t.Errorf("it selects %v", policy.Spec.PodSelector)
	}
	var served, admitted []string
	for _, port := range d.Spec.Template.Spec.Containers[0].Ports {
		served = append(served, port.Name+"/"+string(port.Protocol))
	}
	for _, rule := range policy.Spec.Ingress {
		if len(rule.From) != 0 {
			t.Errorf("the ports %v are for %v", rule.Ports, rule.From)
		}
		for _, port := range rule.Ports {
			admitted = append(admitted, port.Port.StrVal+"/"+string(*port.Protocol))
		}
	}
	slices.Sort(served)
	slices.Sort(admitted)
	if len(served) != 4 || !slices.Equal(served, admitted) {
		t.Errorf("it admits %v, served are %v", admitted, served)
	}
}

// Each port has its own peers, and the restricting policy stands alone: a Pod accepts what one of its policies admits.
func TestPeersOfNetworkPolicies(t *testing.T) {
	const peers = "controlPlaneFrom: [{ipBlock: {cidr: 10.0.0.0/28}}], ingress: {ingestFrom: [{ipBlock: {cidr: 10.0.1.0/24}}], metricsFrom: [{ipBlock: {cidr: 10.0.2.0/24}}], probesFrom: [{ipBlock: {cidr: 10.0.3.0/24}}]}"
	for values, want := range map[string]map[string]string{
		"ingest: {enabled: true}\nnetworkPolicy: {" + peers + "}": {
			"webhooks": "10.0.0.0/28", "ingest": "10.0.1.0/24", "metrics": "10.0.2.0/24", "probes": "10.0.3.0/24",
		},
		"ingest: {enabled: true}\nnetworkPolicy: {enabled: true, " + peers + "}": {"webhooks": "10.0.0.0/28", "ingest": "", "metrics": ""},
		"networkPolicy: {" + peers + "}":                                         {},
		"ingest: {enabled: true}\nnetworkPolicy: {ingress: {enabled: false}}":    {},
	} {
		got := map[string]string{}
		for _, policy := range networkPolicies(t, render(t, values)) {
			for _, rule := range policy.Spec.Ingress {
				cidr := ""
				for _, from := range rule.From {
					if from.IPBlock != nil {
						cidr += from.IPBlock.CIDR
					}
				}
				for _, port := range rule.Ports {
					got[port.Port.StrVal] += cidr
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", values, diff)
		}
	}
}

// F-S11: the default installation grants users of the roles view, edit and admin nothing.
func TestRolesAreNotAggregatedByDefault(t *testing.T) {
	for _, o := range render(t, "") {
		for label := range o.GetLabels() {
			if strings.Contains(label, "rbac.authorization.k8s.io/aggregate-to-") {
				t.Errorf("%s %s has the label %s", o.GetKind(), o.GetName(), label)
			}
		}
	}
}

// An AlertSource lets programs without an account create Alerts: the roles of the cluster may read it at most.
func TestAggregatedRolesOpenNoAlertSource(t *testing.T) {
	reads := 0
	for _, o := range render(t, "aggregatedRoles: true\ningest: {enabled: true}") {
		isAggregated := slices.ContainsFunc(slices.Collect(maps.Keys(o.GetLabels())), func(label string) bool {
			return strings.HasPrefix(label, "rbac.authorization.k8s.io/aggregate-to-")
		})
		if o.GetKind() != "ClusterRole" || !isAggregated {
			continue
		}
		var role rbacv1.ClusterRole
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			for _, resource := range rule.Resources {
				if !strings.HasPrefix(resource, "alertsources") {
					continue
				}
				reads++
				isWrite := func(verb string) bool { return !slices.Contains([]string{"get", "list", "watch"}, verb) }
				if resource == "alertsources/ingest" || slices.ContainsFunc(rule.Verbs, isWrite) {
					t.Errorf("%s grants %q of %s", role.Name, rule.Verbs, resource)
				}
			}
		}
	}
	if reads == 0 {
		t.Error("no aggregated role has AlertSources: the test compares nothing")
	}
}

// Roles name what they grant, and grant no right to get other rights.
func TestRolesAreExact(t *testing.T) {
	for _, o := range render(t, "aggregatedRoles: true") {
		if kind := o.GetKind(); kind != "ClusterRole" && kind != "Role" {
			continue
		}
		var role rbacv1.ClusterRole // its rules are those of a Role, too
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &role); err != nil {
			t.Fatal(err)
		}
		if len(role.Rules) == 0 {
			t.Errorf("%s %s has no rules", o.GetKind(), o.GetName())
		}
		for _, rule := range role.Rules {
			for _, word := range slices.Concat(rule.Verbs, rule.Resources, rule.APIGroups, rule.NonResourceURLs) {
				if slices.Contains([]string{"*", "escalate", "bind", "impersonate"}, word) {
					t.Errorf("%s %s grants %q: %+v", o.GetKind(), o.GetName(), word, rule)
				}
			}
		}
	}
}

// The namespace of an installation enforces the Pod Security Standard that its pods meet.
func TestNamespaceIsRestricted(t *testing.T) {
	for _, o := range build(t, "config/default") {
		if o.GetKind() == "Namespace" {
			if got := o.GetLabels()["pod-security.kubernetes.io/enforce"]; got != "restricted" {
				t.Errorf("namespace %s enforces %q", o.GetName(), got)
			}
			return
		}
	}
	t.Error("config/default has no namespace")
}

// copyConfig copies config/, so that an overlay can stand beside it.
func copyConfig(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "config")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(repo(t), "config"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// deployment returns the operator's Deployment in the chart.
func deployment(t *testing.T, values string) *appsv1.Deployment {
	t.Helper()
	for _, o := range render(t, values) {
		if o.GetKind() == "Deployment" {
			var d appsv1.Deployment
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, &d, true); err != nil {
				t.Fatal(err)
			}
			return &d
		}
	}
	t.Fatal("the chart has no Deployment")
	return nil
}

func TestValues(t *testing.T) {
	container := func(d *appsv1.Deployment) corev1.Container { return d.Spec.Template.Spec.Containers[0] }
	env := func(d *appsv1.Deployment, name string) string {
		for _, e := range container(d).Env {
			if e.Name == name {
				return e.Value
			}
		}
		return ""
	}
	for _, test := range []struct {
		name, values string
		holds        func(d *appsv1.Deployment) bool
	}{
		{"the chart's version is the tag", "", func(d *appsv1.Deployment) bool { return container(d).Image == "ghcr.io/gophernetes/bellhop:dev" }},
		{"digest", "image: {tag: v1, digest: \"sha256:" + strings.Repeat("0", 64) + "\"}", func(d *appsv1.Deployment) bool {
			return strings.HasSuffix(container(d).Image, "/bellhop@sha256:"+strings.Repeat("0", 64))
		}},
		{"pull policy", "image: {pullPolicy: Never}", func(d *appsv1.Deployment) bool { return container(d).ImagePullPolicy == corev1.PullNever }},
		{"pull secrets", "imagePullSecrets: [{name: registry}]", func(d *appsv1.Deployment) bool { return d.Spec.Template.Spec.ImagePullSecrets[0].Name == "registry" }},
		{"replicas", "replicas: 3", func(d *appsv1.Deployment) bool { return *d.Spec.Replicas == 3 }},
		{"log", "log: {level: 4, format: console}", func(d *appsv1.Deployment) bool {
			return slices.Contains(container(d).Args, "--zap-log-level=4") && slices.Contains(container(d).Args, "--zap-encoder=console")
		}},
		{"arguments", "extraArgs: [--allow-outbound=10.0.0.7]", func(d *appsv1.Deployment) bool {
			return slices.Contains(container(d).Args, "--allow-outbound=10.0.0.7")
		}},
		{"environment", "extraEnv: [{name: A, value: b}]", func(d *appsv1.Deployment) bool { return env(d, "A") == "b" }},
		{"proxy", "proxy: {https: \"http://proxy:3128\", \"no\": [.svc, 10.0.0.0/8]}", func(d *appsv1.Deployment) bool {
			return env(d, "HTTPS_PROXY") == "http://proxy:3128" && env(d, "HTTP_PROXY") == "" && env(d, "NO_PROXY") == "$(KUBERNETES_SERVICE_HOST),.svc,10.0.0.0/8"
		}},
		{"trusted authorities", "trustedCA: {configMap: company}", func(d *appsv1.Deployment) bool {
			return d.Spec.Template.Spec.Volumes[0].ConfigMap.Name == "company" && container(d).VolumeMounts[0].MountPath == "/etc/bellhop/ca" && strings.HasSuffix(env(d, "SSL_CERT_DIR"), ":/etc/bellhop/ca")
		}},
		{"certificate of the listener", "ingest: {enabled: true, certificateSecret: public}", func(d *appsv1.Deployment) bool {
			return d.Spec.Template.Spec.Volumes[0].Secret.SecretName == "public" && container(d).VolumeMounts[0].MountPath == "/etc/bellhop/ingest" &&
				slices.Contains(container(d).Args, "--ingest-cert-dir=/etc/bellhop/ingest")
		}},
		{"certificate of a listener that is off", "ingest: {certificateSecret: public}", func(d *appsv1.Deployment) bool {
			return len(d.Spec.Template.Spec.Volumes) == 0 && !strings.Contains(strings.Join(container(d).Args, " "), "ingest") && len(container(d).Ports) == 3
		}},
		{"resources", "resources: {limits: {memory: 2Gi}}", func(d *appsv1.Deployment) bool {
			memory := container(d).Resources.Limits[corev1.ResourceMemory]
			return memory.String() == "2Gi"
		}},
		{"labels and annotations", "podLabels: {a: b}\npodAnnotations: {c: d}", func(d *appsv1.Deployment) bool {
			return d.Spec.Template.Labels["a"] == "b" && d.Spec.Template.Annotations["c"] == "d"
		}},
		{"scheduling", "priorityClassName: system-cluster-critical\nnodeSelector: {disk: ssd}\ntolerations: [{key: a, operator: Exists}]\naffinity: {nodeAffinity: {}}", func(d *appsv1.Deployment) bool {
			s := d.Spec.Template.Spec
			return s.PriorityClassName == "system-cluster-critical" && s.NodeSelector["disk"] == "ssd" && s.Tolerations[0].Key == "a" && s.Affinity.NodeAffinity != nil
		}},
		{"update strategy", "updateStrategy: {type: Recreate}", func(d *appsv1.Deployment) bool { return d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType }},
		{"volumes", "extraVolumes: [{name: client-ca, configMap: {name: ca}}]\nextraVolumeMounts: [{name: client-ca, mountPath: /etc/ca}]", func(d *appsv1.Deployment) bool {
			return d.Spec.Template.Spec.Volumes[0].ConfigMap.Name == "ca" && container(d).VolumeMounts[0].MountPath == "/etc/ca"
		}},
		{"security without values", "", func(d *appsv1.Deployment) bool {
			pod, c := d.Spec.Template.Spec.SecurityContext, container(d).SecurityContext
			return *pod.RunAsNonRoot && pod.RunAsUser == nil && pod.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault && *c.ReadOnlyRootFilesystem && !*c.AllowPrivilegeEscalation
		}},
		{"security", "podSecurityContext: {runAsUser: 7}\nsecurityContext: {runAsGroup: 8}", func(d *appsv1.Deployment) bool {
			pod, c := d.Spec.Template.Spec.SecurityContext, container(d).SecurityContext
			isHardened := *pod.RunAsNonRoot && pod.SeccompProfile != nil && *c.ReadOnlyRootFilesystem && !*c.AllowPrivilegeEscalation && len(c.Capabilities.Drop) == 1
			return *pod.RunAsUser == 7 && *c.RunAsGroup == 8 && isHardened
		}},
		{"network of the node", "hostNetwork: true\nports: {webhooks: 10250, metrics: 10251, probes: 10252, ingest: 10253}\ningest: {enabled: true}", func(d *appsv1.Deployment) bool {
			args := strings.Join(container(d).Args, " ")
			for _, port := range container(d).Ports {
				if port.ContainerPort < 10250 || port.ContainerPort > 10253 {
					return false
				}
			}
			return d.Spec.Template.Spec.HostNetwork && d.Spec.Template.Spec.DNSPolicy == corev1.DNSClusterFirstWithHostNet &&
				strings.Contains(args, "--webhook-port=10250 --metrics-bind-address=:10251 --health-probe-bind-address=:10252") && strings.Contains(args, "--ingest-bind-address=:10253")
		}},
		{"labels of all objects", "commonLabels: {team: platform, control-plane: other}\npodLabels: {team: pods}", func(d *appsv1.Deployment) bool {
			pods := d.Spec.Template.Labels
			return d.Labels["team"] == "platform" && pods["team"] == "pods" && pods["control-plane"] == "controller-manager"
		}},
		{"no spread", "topologySpreadConstraints: []", func(d *appsv1.Deployment) bool { return len(d.Spec.Template.Spec.TopologySpreadConstraints) == 0 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			if d := deployment(t, test.values); !test.holds(d) {
				t.Errorf("got %+v", d.Spec)
			}
		})
	}
}

func TestServiceOfTheListener(t *testing.T) {
	for _, o := range render(t, "ingest: {enabled: true, service: {type: LoadBalancer, annotations: {example.com/internal: \"true\"}}}") {
		if o.GetKind() != "Service" {
			continue
		}
		var s corev1.Service
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, &s, true); err != nil {
			t.Fatal(err)
		}
		if isListener := s.Name == "bellhop-ingest-service"; isListener != (s.Spec.Type == corev1.ServiceTypeLoadBalancer) || isListener != (s.Annotations["example.com/internal"] == "true") {
			t.Errorf("%s: %+v", s.Name, s)
		}
	}
}

func TestServicesOfIPFamilies(t *testing.T) {
	for _, o := range render(t, "ingest: {enabled: true}\nservice: {ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6, IPv4]}") {
		if o.GetKind() != "Service" {
			continue
		}
		var s corev1.Service
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, &s, true); err != nil {
			t.Fatal(err)
		}
		if *s.Spec.IPFamilyPolicy != corev1.IPFamilyPolicyRequireDualStack || !slices.Equal(s.Spec.IPFamilies, []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}) {
			t.Errorf("%s: %+v", s.Name, s.Spec)
		}
	}
}

// F-U25: a platform team labels, annotates and adds what its cluster requires.
func TestValuesOfAllObjects(t *testing.T) {
	objects := render(t, "commonLabels: {team: platform}\nservice: {annotations: {example.com/a: b}}\nextraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: plain}, data: {text: \"{{ $labels.pod }}\"}}, \"{kind: Secret, metadata: {name: of-{{ .Release.Name }}}}\"]\n"+
		"ingest: {enabled: true}\npageByLabel: {enabled: true}\ninjection: {enabled: true}\nnetworkPolicy: {enabled: true}\nprometheus: {serviceMonitor: {enabled: true}, rules: {enabled: true}}\ngrafana: {dashboard: {enabled: true}}")
	var added []string
	for _, o := range objects {
		switch {
		case o.GetName() == "of-bellhop" || o.GetName() == "plain":
			added = append(added, o.GetKind())
		case o.GetLabels()["team"] != "platform":
			t.Errorf("%s %s has the labels %v", o.GetKind(), o.GetName(), o.GetLabels())
		case o.GetKind() == "Service" && o.GetAnnotations()["example.com/a"] != "b":
			t.Errorf("%s %s has the annotations %v", o.GetKind(), o.GetName(), o.GetAnnotations())
		case o.GetKind() == "PodDisruptionBudget": // F-U24
			if got, _, _ := unstructured.NestedString(o.Object, "spec", "unhealthyPodEvictionPolicy"); got != "AlwaysAllow" {
				t.Errorf("the budget evicts %q", got)
			}
		}
	}
	slices.Sort(added)
	if !slices.Equal(added, []string{"ConfigMap", "Secret"}) {
		t.Errorf("it adds %v", added)
	}
}

// Prometheus and Grafana select by the labels that are given for their objects, not by those of all objects.
func TestLabelsOfObjectsPrecedeCommonOnes(t *testing.T) {
	found := 0
	for _, o := range render(t, "commonLabels: {release: platform}\nservice: {annotations: null}\ningest: {enabled: true, service: {annotations: null}}\n"+
		"prometheus: {serviceMonitor: {enabled: true, labels: {release: kube}}, rules: {enabled: true, labels: {release: kube}}}\ngrafana: {dashboard: {enabled: true, labels: {release: kube}}}") {
		switch o.GetKind() {
		case "ServiceMonitor", "PrometheusRule", "ConfigMap":
			if found++; o.GetLabels()["release"] != "kube" {
				t.Errorf("%s has the labels %v", o.GetKind(), o.GetLabels())
			}
		}
	}
	if found != 3 {
		t.Errorf("%d objects have labels of their own", found)
	}
}

// F-U26: the ServiceMonitor has no files of Prometheus, which OpenShift and hardened Prometheus operators refuse, and verifies the operator.
func TestServiceMonitorReferencesSecrets(t *testing.T) {
	const enabled = "prometheus: {serviceMonitor: {enabled: true"
	serverName := "bellhop-controller-manager-metrics-service." + namespace + ".svc"
	ownToken := map[string]any{"type": "Bearer", "credentials": map[string]any{"name": "bellhop-metrics-reader-token", "key": "token"}}
	ownCA := map[string]any{"ca": map[string]any{"secret": map[string]any{"name": "bellhop-webhook-server-cert", "key": "ca.crt"}}, "serverName": serverName}
	for _, test := range []struct {
		name, values       string
		authorization, tls map[string]any
		reader             []string
	}{
		{"default", enabled + "}}", ownToken, ownCA, []string{"ClusterRoleBinding", "Secret", "ServiceAccount"}},
		{"values of a former release", enabled + ", authorization: null, tlsConfig: null}}", ownToken, ownCA, []string{"ClusterRoleBinding", "Secret", "ServiceAccount"}},
		{"a token and an authority", enabled + ", authorization: {credentials: {name: mine, key: bearer}}, tlsConfig: {ca: {configMap: {name: corporate, key: pem}}}}}",
			map[string]any{"type": "Bearer", "credentials": map[string]any{"name": "mine", "key": "bearer"}},
			map[string]any{"ca": map[string]any{"configMap": map[string]any{"name": "corporate", "key": "pem"}}, "serverName": serverName}, nil},
		{"another name", enabled + ", tlsConfig: {serverName: bellhop.example.com}}}", ownToken, map[string]any{"serverName": "bellhop.example.com"}, []string{"ClusterRoleBinding", "Secret", "ServiceAccount"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := map[string]any{"path": "/metrics", "port": "metrics", "scheme": "https", "authorization": test.authorization, "tlsConfig": test.tls}
			var names, reader []string
			for _, o := range render(t, "certificates: {certManager: {enabled: true}}\n"+test.values) {
				switch {
				case o.GetKind() == "ServiceMonitor":
					endpoints, _, _ := unstructured.NestedSlice(o.Object, "spec", "endpoints")
					if diff := cmp.Diff([]any{want}, endpoints); diff != "" {
						t.Errorf("want (-), got (+):\n%s", diff)
					}
				case o.GetKind() == "Certificate":
					names, _, _ = unstructured.NestedStringSlice(o.Object, "spec", "dnsNames")
				case strings.HasPrefix(o.GetName(), "bellhop-metrics-reader") && o.GetKind() != "ClusterRole":
					reader = append(reader, o.GetKind())
				}
			}
			if slices.Sort(reader); !slices.Equal(reader, test.reader) {
				t.Errorf("for the account there are %v", reader)
			}
			if !slices.Contains(names, serverName) {
				t.Errorf("cert-manager issues a certificate for %v", names)
			}
		})
	}
}

func TestPortsDiffer(t *testing.T) {
	if out, err := helm(t, "ports: {probes: 8443}", "template", "bellhop", filepath.Join(repo(t), "charts", "bellhop")); err == nil || !strings.Contains(out, "ports has the same port twice") {
		t.Errorf("%v: %s", err, out)
	}
}

// platformChart returns the directory of a platform team's chart with dependencies on this one.
func platformChart(t *testing.T, dependencies string) string {
	t.Helper()
	platform := t.TempDir()
	if err := os.CopyFS(filepath.Join(platform, "charts", "bellhop"), os.DirFS(filepath.Join(repo(t), "charts", "bellhop"))); err != nil {
		t.Fatal(err)
	}
	chart := "{apiVersion: v2, name: platform, version: 1.0.0, dependencies: [" + dependencies + "]}"
	if err := os.WriteFile(filepath.Join(platform, "Chart.yaml"), []byte(chart), 0o600); err != nil {
		t.Fatal(err)
	}
	return platform
}

// F-U16: a platform team's chart has this one as an optional dependency, under another name, and with values for all charts.
func TestDependency(t *testing.T) {
	platform := platformChart(t, "{name: bellhop, version: '>=0.0.0-0', alias: alerting, condition: alerting.enabled}")
	for values, replicas := range map[string]int32{
		"": 2,
		"alerting: {enabled: true, replicas: 3}\nglobal: {registry: example.com}": 3,
		"alerting: {enabled: false}": 0,
	} {
		out, err := helm(t, values, "template", "platform", platform)
		if err != nil {
			t.Fatalf("%s: %v\n%s", values, err, out)
		}
		var got int32
		for _, o := range decode(t, out) {
			if o.GetKind() == "Deployment" {
				n, _, _ := unstructured.NestedNumberAsFloat64(o.Object, "spec", "replicas")
				got = int32(n)
			}
		}
		if got != replicas {
			t.Errorf("%s: %d replicas, want %d", values, got, replicas)
		}
	}
	if out, err := helm(t, "enabled: false", "template", "bellhop", "charts/bellhop"); err == nil || !strings.Contains(out, "dependency with a condition") {
		t.Errorf("enabled: false without a dependency: %v\n%s", err, out)
	}
}

// A platform team's chart has this one twice, with one API group each, and no object twice.
func TestTwoReleasesInOneNamespace(t *testing.T) {
	platform := platformChart(t, "{name: bellhop, version: '>=0.0.0-0', alias: alerts}, {name: bellhop, version: '>=0.0.0-0', alias: services, condition: services.enabled}")
	const all = "prometheus: {serviceMonitor: {enabled: true}, rules: {enabled: true}}, grafana: {dashboard: {enabled: true}}, networkPolicy: {enabled: true}"
	out, err := helm(t, "alerts: {servicecatalog: {enabled: false}, ingest: {enabled: true}, pageByLabel: {enabled: true}, "+all+"}\nservices: {pager: {enabled: false}, "+all+"}",
		"template", "platform", platform)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	both := normalize(t, render(t, ""))
	for name := range normalize(t, decode(t, out)) { // each name once
		isShared := strings.HasPrefix(name, "CustomResourceDefinition ") || strings.HasPrefix(name, "ClusterRole ") && !strings.HasSuffix(name, "manager-role")
		if !isShared && both[name] != nil {
			t.Errorf("%s is an object of a release with both groups, too", name)
		}
	}
}

// What a group alone has cannot be enabled without it.
func TestValuesOfTheOtherGroup(t *testing.T) {
	for values, want := range map[string]string{
		"pager: {enabled: false}\ningest: {enabled: true}":             "ingest.enabled needs pager.enabled",
		"pager: {enabled: false}\npageByLabel: {enabled: true}":        "pageByLabel.enabled needs pager.enabled",
		"servicecatalog: {enabled: false}\ninjection: {enabled: true}": "injection.enabled needs servicecatalog.enabled",
		"pager: {enabled: false}\nservicecatalog: {enabled: false}":    "are both false",
		"pager: {watchSecrets: false}":                                 "set servicecatalog.enabled to false as well",
	} {
		if out, err := helm(t, values, "template", "bellhop", "charts/bellhop"); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, want %q in\n%s", values, err, want, out)
		}
	}
}

// With crds.enabled=false the release has no CRDs. Else they and their objects go with the release only with crds.keep=false: neither Helm,
// nor Argo CD, nor Flux deletes the CRDs and the namespace otherwise. Argo CD prunes what has the annotation of Helm alone.
func TestCRDs(t *testing.T) {
	byTool := map[string]string{
		"helm.sh/resource-policy":           "keep",
		"argocd.argoproj.io/sync-options":   "Prune=false,Delete=false",
		"kustomize.toolkit.fluxcd.io/prune": "disabled",
	}
	count := func(objects []*unstructured.Unstructured, annotation string) (crds, kept int) {
		for _, o := range objects {
			if o.GetKind() == "CustomResourceDefinition" {
				crds++
				if o.GetAnnotations()[annotation] == byTool[annotation] {
					kept++
				}
			}
		}
		return crds, kept
	}
	chart, deletable := render(t, ""), render(t, "crds: {keep: false}")
	manifests := build(t, filepath.Join(copyConfig(t), "default"))
	for annotation, value := range byTool {
		if crds, kept := count(chart, annotation); crds != 12 || kept != 12 {
			t.Errorf("%s: %d CRDs, %d are kept", annotation, crds, kept)
		}
		if crds, kept := count(deletable, annotation); crds != 12 || kept != 0 {
			t.Errorf("keep: false: %s: %d CRDs, %d are kept", annotation, crds, kept)
		}
		if annotation == "helm.sh/resource-policy" {
			continue
		}
		if crds, kept := count(manifests, annotation); crds != 12 || kept != 12 {
			t.Errorf("the manifests: %s: %d CRDs, %d are kept", annotation, crds, kept)
		}
		for _, o := range manifests {
			if o.GetKind() == "Namespace" && o.GetAnnotations()[annotation] != value {
				t.Errorf("the namespace has the annotations %v", o.GetAnnotations())
			}
		}
	}
	if crds, _ := count(render(t, "crds: {enabled: false}"), ""); crds != 0 {
		t.Errorf("enabled: false: %d CRDs", crds)
	}
}

func TestLint(t *testing.T) {
	if out, err := helm(t, "", "lint", "--strict", "charts/bellhop"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A value that does not exist, or has another type, is refused with its name.
func TestSchema(t *testing.T) {
	for _, values := range []string{"replica: 2", "replicas: many", "ports: {https: 443}", "image: {digest: latest}", "log: {format: text}", "extraArgs: [leader-elect]", "service: {ipFamilies: [v6]}", "ingest: {port: 9444}", "ingest: {service: {type: ExternalName}}"} {
		out, err := helm(t, values, "template", "bellhop", "charts/bellhop")
		if name, _, _ := strings.Cut(values, ":"); err == nil || !strings.Contains(out, name) {
			t.Errorf("%s: %v\n%s", values, err, out)
		}
	}
}

// Policies that change objects are a stable API since 1.36.
func TestInjectionNeedsKubernetes(t *testing.T) {
	out, err := helm(t, "injection: {enabled: true}", "template", "bellhop", "charts/bellhop", "--kube-version=1.35.2")
	if want := "injection.enabled needs Kubernetes 1.36 or newer, and this cluster has v1.35.2"; err == nil || !strings.Contains(out, want) {
		t.Errorf("%v, want %q in\n%s", err, want, out)
	}
}

// Each value is in the schema, and each of the schema's has a default.
func TestSchemaHasAllValues(t *testing.T) {
	var values map[string]any
	var schema map[string]any
	for file, into := range map[string]any{"values.yaml": &values, "values.schema.json": &schema} {
		data, err := os.ReadFile(filepath.Join(repo(t), "charts/bellhop", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
	properties := schema["properties"].(map[string]any)
	delete(properties, "global")  // Helm's
	delete(properties, "enabled") // of a chart that has this one as a dependency
	compareWithSchema(t, "", values, properties)
}

func compareWithSchema(t *testing.T, path string, values, properties map[string]any) {
	t.Helper()
	for name := range properties {
		if _, ok := values[name]; !ok && path != "certificates.certManager.issuerRef." {
			t.Errorf("values.yaml does not have %s%s", path, name)
		}
	}
	for name, value := range values {
		property, ok := properties[name].(map[string]any)
		if !ok {
			t.Errorf("values.schema.json does not have %s%s", path, name)
			continue
		}
		inner, isObject := value.(map[string]any)
		if declared, ok := property["properties"].(map[string]any); ok && isObject {
			compareWithSchema(t, path+name+".", inner, declared)
		}
	}
}
