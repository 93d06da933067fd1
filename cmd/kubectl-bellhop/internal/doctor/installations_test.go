// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"slices"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/operator"
)

const systemNamespace = "bellhop-system"

// deployment returns the Deployment of an operator with these flags.
func deployment(namespace, name, args string, replicas int32) *operator.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	d.Spec.Replicas, d.Status.ReadyReplicas = &replicas, replicas
	d.Spec.Selector = metav1.SetAsLabelSelector(map[string]string{"control-plane": name})
	d.Spec.Template.Spec.Containers = []corev1.Container{{Args: strings.Fields(args)}}
	return operator.Of(d)
}

// installed returns an inspector that checks both groups, of a cluster with these Deployments.
func installed(deployments ...*operator.Deployment) *inspector {
	core := fake.NewClientset()
	i := &inspector{options: &options{operatorNamespace: systemNamespace}, groups: cli.Groups, core: core.CoreV1(), coordination: core.CoordinationV1(), now: func() time.Time { return now }}
	i.all = deployments
	i.here = slices.DeleteFunc(slices.Clone(deployments), func(d *operator.Deployment) bool { return d.Namespace != systemNamespace })
	return i
}

func TestCheckOperator(t *testing.T) {
	both := deployment(systemNamespace, "both", "", 2)
	stopped := deployment(systemNamespace, "both", "", 0)
	pager := deployment(systemNamespace, "pager", "--apis=pager", 1)
	services := deployment(systemNamespace, "services", "--apis=servicecatalog", 1)
	elsewhere := deployment("services", "services", "--apis=servicecatalog", 1)
	for name, test := range map[string]struct {
		deployments []*operator.Deployment
		message     string
		findings    []string // IDs, with a part of the message
	}{
		"one":                       {[]*operator.Deployment{both}, "2 of 2 replicas of Deployment bellhop-system/both are ready", nil},
		"halves":                    {[]*operator.Deployment{pager, services}, "1 of 1 replicas of Deployment bellhop-system/pager and 1 of 1 replicas of Deployment bellhop-system/services are ready", nil},
		"halves in two namespaces":  {[]*operator.Deployment{pager, elsewhere}, "; Deployment services/services serves servicecatalog.k8s.io", nil},
		"one half":                  {[]*operator.Deployment{pager}, "; no Deployment here serves servicecatalog.k8s.io", nil},
		"halves and a former form":  {[]*operator.Deployment{stopped, pager, services}, "1 of 1 replicas of Deployment bellhop-system/pager and", nil},
		"a half and a former form":  {[]*operator.Deployment{stopped, pager}, "0 of 0 replicas of Deployment bellhop-system/both and", []string{"operator-scaled-down it is scaled to 0"}},
		"moved":                     {[]*operator.Deployment{stopped, deployment("team", "other", "", 1)}, "all Deployments here are scaled to 0; Deployment team/other serves pager.k8s.co; Deployment team/other serves servicecatalog.k8s.io", nil},
		"moved in part":             {[]*operator.Deployment{stopped, pager, elsewhere}, "1 of 1 replicas of Deployment bellhop-system/pager are ready; Deployment services/services serves servicecatalog.k8s.io", nil},
		"scaled to 0":               {[]*operator.Deployment{stopped}, "0 of 0 replicas", []string{"operator-scaled-down it is scaled to 0"}},
		"two forms":                 {[]*operator.Deployment{both, pager}, "2 of 2", []string{"operator-conflict it and Deployment bellhop-system/pager serve the same kinds, of pager.k8s.co: only one of them leads"}},
		"two namespaces":            {[]*operator.Deployment{both, deployment("team", "other", "", 1)}, "2 of 2", []string{"operator-conflict it and Deployment team/other serve the same kinds, of pager.k8s.co and servicecatalog.k8s.io: each of them sends"}},
		"both halves, and one more": {[]*operator.Deployment{both, pager, services}, "2 of 2", []string{"operator-conflict", "operator-conflict"}},
		"namespaces of their own":   {[]*operator.Deployment{deployment(systemNamespace, "a", "--namespaces=a,b", 1), deployment("team", "c", "--namespaces=c", 1)}, "1 of 1", nil},
		"a namespace in common":     {[]*operator.Deployment{deployment(systemNamespace, "a", "--namespaces=a,b", 1), deployment("team", "b", "--namespaces=b", 1)}, "1 of 1", []string{"operator-conflict"}},
		"only in other namespaces":  {[]*operator.Deployment{elsewhere}, "namespace bellhop-system has no Deployment", nil},
	} {
		r, err := checkOperator(t.Context(), installed(test.deployments...))
		if err != nil || !strings.Contains(r.message, test.message) || len(r.findings) != len(test.findings) {
			t.Errorf("%s: %+v, %v", name, r, err)
			continue
		}
		for n, f := range r.findings {
			if !strings.HasPrefix(f.ID+" "+f.Message, test.findings[n]) || f.Fix == "" {
				t.Errorf("%s: %+v, want %s", name, f, test.findings[n])
			}
		}
	}
}

func TestCheckLeader(t *testing.T) {
	both := deployment(systemNamespace, "both", "", 1)
	pager := deployment(systemNamespace, "pager", "--apis=pager", 1)
	services := deployment(systemNamespace, "services", "--apis=servicecatalog", 1)
	former := deployment(systemNamespace, "both", "", 0)
	const leaseOfBoth, leaseOfPager, leaseOfServices = "bellhop.gophernetes.io", "bellhop.gophernetes.io-pager", "bellhop.gophernetes.io-servicecatalog"
	for name, test := range map[string]struct {
		deployments []*operator.Deployment
		held, ended []string // leases
		message     string
		findings    []string // leases
	}{
		"one form":                       {[]*operator.Deployment{both}, []string{leaseOfBoth}, nil, "pod leads", nil},
		"halves":                         {[]*operator.Deployment{pager, services}, []string{leaseOfPager, leaseOfServices}, []string{leaseOfBoth}, "pod leads for pager.k8s.co, pod leads for servicecatalog.k8s.io", nil},
		"halves, of which one leads":     {[]*operator.Deployment{pager, services}, []string{leaseOfPager}, []string{leaseOfServices}, "pod leads for pager.k8s.co, no replica leads for servicecatalog.k8s.io", []string{leaseOfServices}},
		"halves, of which one never led": {[]*operator.Deployment{pager, services}, []string{leaseOfPager}, nil, "no replica leads for servicecatalog.k8s.io", []string{leaseOfServices}},
		"a form that is held back":       {[]*operator.Deployment{both, pager, services}, []string{leaseOfPager, leaseOfServices}, nil, "pod leads for pager.k8s.co, pod leads for servicecatalog.k8s.io", nil},
		"halves that are held back":      {[]*operator.Deployment{both, pager, services}, []string{leaseOfBoth}, []string{leaseOfPager}, "pod leads", nil},
		"after a split":                  {[]*operator.Deployment{former, pager, services}, []string{leaseOfPager, leaseOfServices}, []string{leaseOfBoth}, "pod leads for pager.k8s.co, pod", nil},
		"moved":                          {[]*operator.Deployment{former, deployment("team", "other", "", 1)}, nil, []string{leaseOfBoth}, "no operator here has to lead; Deployment team/other serves pager.k8s.co", nil},
		"moved in part":                  {[]*operator.Deployment{former, pager, deployment("team", "other", "--apis=servicecatalog", 1)}, nil, []string{leaseOfBoth}, "no replica of the operator leads", []string{leaseOfPager}},
		"no leader":                      {[]*operator.Deployment{both}, nil, []string{leaseOfBoth}, "no replica of the operator leads", []string{leaseOfBoth}},
		"no Deployment, a half":          {nil, []string{leaseOfPager}, nil, "pod leads for pager.k8s.co", nil},
		"no Deployment, a former lease":  {nil, []string{leaseOfBoth}, []string{leaseOfPager}, "pod leads", nil},
		"no Deployment, no leader":       {nil, nil, []string{leaseOfPager}, "no replica of the operator leads", []string{leaseOfPager}},
		"no Deployment and no lease":     {nil, nil, nil, "has no Lease bellhop.gophernetes.io: ", nil},
	} {
		i := installed(test.deployments...)
		for _, lease := range slices.Concat(test.held, test.ended) {
			l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: lease}}
			if slices.Contains(test.held, lease) {
				l.Spec.HolderIdentity, l.Spec.RenewTime = new("pod"), &metav1.MicroTime{Time: now}
			}
			if _, err := i.coordination.Leases(systemNamespace).Create(t.Context(), l, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		r, err := checkLeader(t.Context(), i)
		var leases []string
		for _, f := range r.findings {
			leases = append(leases, strings.TrimPrefix(f.Object, "Lease/"))
		}
		if err != nil || !strings.Contains(r.message, test.message) || !slices.Equal(leases, test.findings) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestEvaluateTargets(t *testing.T) {
	of := func(object, service string, resources ...string) hook {
		config := admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{Namespace: systemNamespace, Name: service}}
		rule := admissionregistrationv1.Rule{APIGroups: []string{"pager.k8s.co"}, Resources: resources}
		return appendHook(nil, object, "valert.pager.k8s.co", config, []admissionregistrationv1.RuleWithOperations{{Rule: rule}})[0]
	}
	for name, test := range map[string]struct {
		hooks []hook
		want  string
	}{
		"one configuration":          {[]hook{of("a", "s", "alerts"), of("a", "t", "alerts")}, ""},
		"the same Service":           {[]hook{of("a", "s", "alerts"), of("b", "s", "alerts")}, ""},
		"other kinds":                {[]hook{of("a", "s", "alerts"), of("b", "t", "receivers")}, ""},
		"two Services":               {[]hook{of("a", "s", "alerts", "alerts/status"), of("b", "t", "alerts")}, "it calls Service bellhop-system/s, and b calls Service bellhop-system/t, for the same kinds: alerts.pager.k8s.co"},
		"two Services, in two hooks": {[]hook{of("a", "s", "alerts"), of("a", "s", "receivers"), of("b", "t", "alerts"), of("b", "t", "receivers")}, "for the same kinds: alerts.pager.k8s.co, receivers.pager.k8s.co"},
	} {
		findings := evaluateTargets(test.hooks)
		switch {
		case test.want == "" && len(findings) > 0:
			t.Errorf("%s: %+v", name, findings)
		case test.want != "" && (len(findings) != 1 || findings[0].ID != "webhooks-conflict" || findings[0].Object != "a" || !strings.HasSuffix(findings[0].Message, test.want)):
			t.Errorf("%s: %+v", name, findings)
		}
	}
	other := admissionregistrationv1.RuleWithOperations{Rule: admissionregistrationv1.Rule{APIGroups: []string{"none.example.com"}, Resources: []string{"none"}}}
	if got := resourcesOf([]admissionregistrationv1.RuleWithOperations{other}); len(got) > 0 {
		t.Errorf("resources of another group: %v", got)
	}
	if got := targetOf(admissionregistrationv1.WebhookClientConfig{URL: new("https://10.0.0.1:9443/validate?timeout=5s")}); got != "https://10.0.0.1:9443" {
		t.Error(got)
	}
}
