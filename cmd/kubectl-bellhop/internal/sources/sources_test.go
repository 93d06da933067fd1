// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/operator"
)

const host = "bellhop-ingest-service.bellhop-system.svc:9444"

func newSource(secret string) *v1beta1.AlertSource {
	s := &v1beta1.AlertSource{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "prometheus"}}
	if secret != "" {
		s.Spec.SecretRef = &v1beta1.SecretReference{Name: secret}
	}
	return s
}

func newListener(args ...string) *listener {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "manager"}}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Args: args}}
	return &listener{namespace: "bellhop-system", service: "bellhop-ingest-service", port: 9444, deployment: operator.Of(d)}
}

// TestSettings: the settings of each sender are YAML, and have the address that the sender completes, and the certificate authority.
func TestSettings(t *testing.T) {
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: bytes.Repeat([]byte("x"), 60)}))
	const path = "/v1/namespaces/shop/alertsources/prometheus"
	var tested []string
	for name, wants := range map[string][]string{
		"prometheus":   {"path_prefix: " + path + "\n", "- " + host + "\n", "credentials_file: /etc/bellhop/token\n"},
		"alertmanager": {"url: https://" + host + path + "/webhook\n", "send_resolved: true\n"},
		"vmalert":      {"-notifier.url=https://" + host + path + "\n", "-notifier.bearerTokenFile=/etc/bellhop/token\n"},
		"grafana":      {"url: https://" + host + path + "\n", "basicAuthPassword: $BELLHOP_TOKEN\n"},
		"flux":         {"address: https://" + host + path + "/api/v2/alerts\n", "name: bellhop-token\n"},
		"argocd":       {"apiPath: " + path + "/api/v2/alerts\n", "- " + host + "\n", "bearerToken: $bellhop-token\n", "  bellhop-ingest-service.bellhop-system.svc: |\n"},
		"ca":           {certificate},
	} {
		f := formats[name]
		text := f.text(newSource("senders"), newListener(), authority{pem: certificate})
		if name != authorityFormat {
			wants = append(wants, "the key token of Secret senders in namespace shop", "# See https://")
		}
		for _, want := range append(wants, strings.Split(certificate, "\n")[1]) {
			if !strings.Contains(text, want) {
				t.Errorf("%s has no %q:\n%s", name, want, text)
			}
		}
		if strings.Contains(text, "${") {
			t.Errorf("%s has a variable:\n%s", name, text)
		}
		unknown := f.text(newSource(""), newListener(), authority{problem: "an administrator can read it"})
		if name != authorityFormat && (!strings.Contains(unknown, "# an administrator can read it") || !strings.Contains(unknown, "ServiceAccount for the audience bellhop")) {
			t.Errorf("%s, without a certificate authority:\n%s", name, unknown)
		}
		if name != "vmalert" && name != authorityFormat {
			wantYAML(t, name, text)
			wantYAML(t, name, unknown)
		}
		tested = append(tested, name)
	}
	slices.Sort(tested)
	if !slices.Equal(tested, formatNames()) {
		t.Errorf("tested are %q of %q", tested, formatNames())
	}
}

func wantYAML(t *testing.T, name, text string) {
	t.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 64)
	for {
		var document map[string]any
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || len(document) == 0 {
			t.Fatalf("%s: %v, %v:\n%s", name, document, err, text)
		}
	}
}

func TestOnlyCertificates(t *testing.T) {
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("one")}))
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("two")}))
	for bundle, want := range map[string]string{
		"": "", "token": "", key: "", certificate: certificate, key + "text\n" + certificate + certificate: certificate + certificate,
	} {
		if got := onlyCertificates([]byte(bundle)); got != want {
			t.Errorf("%q: %q, want %q", bundle, got, want)
		}
	}
}

func TestNotes(t *testing.T) {
	on, known := "--ingest-bind-address=:9444", authority{pem: "x"}
	for name, test := range map[string]struct {
		format    string
		source    *v1beta1.AlertSource
		listener  *listener
		authority authority
		want      []string
	}{
		"all is well":                       {"prometheus", newSource(""), newListener(on), known, nil},
		"the operator is not known":         {"prometheus", newSource(""), &listener{}, known, nil},
		"no listener":                       {"prometheus", newSource(""), newListener(), known, []string{"without --ingest-bind-address"}},
		"no Secret for Flux":                {"flux", newSource(""), newListener(on), known, []string{"has no secretRef"}},
		"a Secret for Flux":                 {"flux", newSource("senders"), newListener(on), known, nil},
		"an unknown authority":              {"vmalert", newSource(""), newListener(on), authority{problem: "why"}, []string{"is missing: why"}},
		"the authority alone needs no more": {"ca", newSource(""), newListener(on, "--namespaces=shop"), known, nil},
	} {
		got := notesOf(formats[test.format], test.source, test.listener, test.authority)
		if !slices.EqualFunc(got, test.want, strings.Contains) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestCountFiring(t *testing.T) {
	ended := v1beta1.AlertInstance{Key: "b", EndsAt: &metav1.Time{}}
	alert := func(state v1beta1.AlertState, instances ...v1beta1.AlertInstance) v1beta1.Alert {
		return v1beta1.Alert{Spec: v1beta1.AlertSpec{State: state, Instances: instances}}
	}
	one := v1beta1.AlertInstance{Key: "a"}
	alerts, instances := countFiring([]v1beta1.Alert{
		alert(v1beta1.AlertFiring, one, ended), alert(v1beta1.AlertFiring), alert(v1beta1.AlertResolved, one),
	})
	if alerts != 2 || instances != 1 {
		t.Errorf("%d, %d", alerts, instances)
	}
}

func TestPortOf(t *testing.T) {
	service := func(ports ...corev1.ServicePort) *corev1.Service {
		return &corev1.Service{Spec: corev1.ServiceSpec{Ports: ports}}
	}
	for want, s := range map[int32]*corev1.Service{
		9444: service(), 443: service(corev1.ServicePort{Port: 80}, corev1.ServicePort{Name: "ingest", Port: 443}), 80: service(corev1.ServicePort{Port: 80}),
	} {
		if got := portOf(s); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
}

func TestSilence(t *testing.T) {
	const never = -1
	now := time.Now()
	for name, test := range map[string]struct {
		created, received int // minutes ago
		silentAfter       int32
		ready             metav1.ConditionStatus
		want              string
	}{
		"just created":       {5, never, 300, "True", ""},
		"never heard from":   {11, never, 0, "True", "nothing was ever posted"},
		"heard from":         {60, 4, 300, "True", ""},
		"silent":             {60, 6, 300, "True", "silentAfterSeconds is 300"},
		"silent, and may be": {60, 50, 0, "True", ""},
		"not ready":          {60, never, 300, "False", ""},
	} {
		ago := func(minutes int) metav1.Time { return metav1.NewTime(now.Add(-time.Duration(minutes) * time.Minute)) }
		s := &v1beta1.AlertSource{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: ago(test.created)}}
		s.Spec.SilentAfterSeconds = test.silentAfter
		s.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: test.ready, Reason: "R"}}
		if test.received != never {
			s.Status.LastReceivedTime = new(ago(test.received))
		}
		if got := Silence(s, now); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// Instances fire past their end while nothing is posted.
func TestPastEnd(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ago := func(minutes int) *metav1.Time {
		return new(metav1.NewTime(now.Add(-time.Duration(minutes) * time.Minute)))
	}
	instance := func(lapsed int) v1beta1.AlertInstance { return v1beta1.AlertInstance{LapsesAt: ago(lapsed)} }
	over := instance(30)
	over.EndsAt = ago(30)
	for name, test := range map[string]struct {
		received  *metav1.Time
		instances []v1beta1.AlertInstance
		want      string
	}{
		"nothing was ever posted": {nil, []v1beta1.AlertInstance{instance(30)}, ""},
		"nothing fires":           {ago(60), []v1beta1.AlertInstance{over}, ""},
		"it does not lapse":       {ago(60), []v1beta1.AlertInstance{{Key: "a"}}, ""},
		"it was posted since":     {ago(10), []v1beta1.AlertInstance{instance(30)}, ""},
		"it has just lapsed":      {ago(60), []v1beta1.AlertInstance{instance(4)}, ""},
		"past its end":            {ago(60), []v1beta1.AlertInstance{instance(30), over, instance(6), instance(-5)}, "since 2026-01-01T11:00:00Z, and only posts end what fires past the end that the sender gave it: 2 instances, the first since 2026-01-01T11:30:00Z"},
	} {
		s := newSource("")
		s.Status.LastReceivedTime = test.received
		a := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Labels: map[string]string{v1beta1.AlertSourceLabel: s.Name}}}
		a.Spec.Instances = test.instances
		other := a.DeepCopy()
		other.Namespace = "elsewhere"
		if got := PastEnd(s, []*v1beta1.Alert{a, other}, now); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestCertificateSecret(t *testing.T) {
	unknown := newListener()
	unknown.deployment = nil
	for want, l := range map[string]*listener{
		"bellhop-webhook-server-cert":       unknown,
		"bellhop-pager-webhook-server-cert": newListener("--apis=pager", "--webhook-cert-dir=/certs"),
		"own":                               newListener("--apis=pager", "--webhook-cert-secret=own"),
	} {
		if got := l.certificateSecret(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
