// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/rest"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// objects answer requests: a path with its selectors, such as /api/v1/pods?status.podIP=10.1.0.7. Forbidden is answered where the object is
// nil, and other paths do not exist; lists that are missing are empty.
type objects map[string]runtime.Object

func (o objects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/v1"), "/apis/discovery.k8s.io/v1")
	if selector := r.URL.Query().Get("fieldSelector") + r.URL.Query().Get("labelSelector"); selector != "" {
		path += "?" + selector
	}
	object, ok := o[path]
	code := http.StatusOK
	switch {
	case !ok && strings.Contains(path, "?"):
		object = &metav1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}}
	case !ok:
		code = http.StatusNotFound
		object = statusOf(http.StatusNotFound, metav1.StatusReasonNotFound, path+" not found")
	case object == nil:
		code = http.StatusForbidden
		object = statusOf(http.StatusForbidden, metav1.StatusReasonForbidden, path+" is forbidden")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}

func statusOf(code int32, reason metav1.StatusReason, message string) *metav1.Status {
	return &metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Reason: reason, Code: code, Message: message,
	}
}

func (o objects) resolver(t *testing.T) *Resolver {
	t.Helper()
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	core, err := coreclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	discovery, err := discoveryclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &Resolver{Core: core, Discovery: discovery, Namespace: "ns"}
}

func runningPod(namespace, name string, edits ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	pod.Spec.Containers = []corev1.Container{{Name: "mysql", Ports: []corev1.ContainerPort{{Name: "mysql", ContainerPort: 13306}}}}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	for _, edit := range edits {
		edit(pod)
	}
	return pod
}

func podList(pods ...*corev1.Pod) *corev1.PodList {
	list := &corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
	for _, pod := range pods {
		list.Items = append(list.Items, *pod)
	}
	return list
}

func mysqlService(namespace string, edits ...func(*corev1.Service)) *corev1.Service {
	s := aService("10.0.0.9", corev1.ServicePort{Name: "sql", Port: 3306, TargetPort: intstr.FromString("mysql")})
	s.TypeMeta, s.Namespace = metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, namespace
	s.Spec.Selector = map[string]string{"app": "db"}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

func endpointSlices(namespace, pod string) *discoveryv1.EndpointSliceList {
	return &discoveryv1.EndpointSliceList{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSliceList"},
		Items: []discoveryv1.EndpointSlice{{
			Ports:     []discoveryv1.EndpointPort{{Name: new("sql"), Port: new(int32(23306))}},
			Endpoints: []discoveryv1.Endpoint{{TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: pod}}},
		}},
	}
}

func TestResolve(t *testing.T) {
	inDB := func(pod *corev1.Pod) { pod.Spec.Subdomain = "db" }
	pending := func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodPending }
	unready := func(pod *corev1.Pod) { pod.Status.Conditions = nil }
	const slices, selected = "/namespaces/ns/endpointslices?kubernetes.io/service-name=db", "/namespaces/ns/pods?app=db"
	for name, c := range map[string]struct {
		objects objects
		host    string
		port    int
		want    string // the target, or a part of the explanation
		outside bool
	}{
		"Service by EndpointSlices": {objects{"/namespaces/ns/services/db": mysqlService("ns"), slices: endpointSlices("ns", "a")}, "db", 3306, "port 23306 of Pod ns/a, of Service db", false},
		"Service by selector":       {objects{"/namespaces/ns/services/db": mysqlService("ns"), selected: podList(runningPod("ns", "b"), runningPod("ns", "a"))}, "db", 3306, "port 13306 of Pod ns/a, of Service db", false},
		"EndpointSlices are denied": {objects{"/namespaces/ns/services/db": mysqlService("ns"), slices: nil, selected: podList(runningPod("ns", "a"))}, "db.ns", 3306, "port 13306 of Pod ns/a, of Service db", false},
		"no port":                   {objects{"/namespaces/ns/services/db": mysqlService("ns"), slices: endpointSlices("ns", "a")}, "db", 0, "port 23306 of Pod ns/a, of Service db", false},
		"not ready":                 {objects{"/namespaces/ns/services/db": mysqlService("ns"), selected: podList(runningPod("ns", "a", unready))}, "db", 3306, "no Pod that is ready", false},
		"another namespace": {objects{"/namespaces/prod/services/db": mysqlService("prod"), "/namespaces/prod/pods?app=db": podList(runningPod("prod", "a"))},
			"db.prod.svc.cluster.local", 3306, "port 13306 of Pod prod/a, of Service db", false},
		"another namespace, denied": {objects{"/namespaces/prod/services/db": nil}, "db.prod.svc", 3306, "is forbidden", false},
		"maybe outside, denied":     {objects{"/namespaces/com/services/example": nil}, "example.com", 3306, `because "example.com" can be the name of a Service`, false},
		"no Service":                {objects{}, "db.prod.svc", 3306, `no Service "db" in namespace "prod"`, true},
		"neither":                   {objects{}, "db", 3306, `no Service or Pod "db" in namespace "ns"`, true},
		"outside":                   {objects{}, "db.eu.rds.example.com", 3306, "not have the form of the name", true},
		"this machine":              {objects{}, "localhost", 3306, "not have the form of the name", true},
		"ExternalName": {objects{"/namespaces/ns/services/db": mysqlService("ns", func(s *corev1.Service) {
			s.Spec.Type, s.Spec.ExternalName = corev1.ServiceTypeExternalName, "db.example.com"
		})}, "db", 3306, "ExternalName, for db.example.com", true},
		"without selector":           {objects{"/namespaces/ns/services/db": mysqlService("ns", func(s *corev1.Service) { s.Spec.Selector = nil })}, "db", 3306, "no selector", true},
		"Pod by its name":            {objects{"/namespaces/ns/pods/db-0": runningPod("ns", "db-0")}, "db-0", 0, "port 13306 of Pod ns/db-0", false},
		"Pod that does not run":      {objects{"/namespaces/ns/pods/db-0": runningPod("ns", "db-0", pending)}, "db-0", 1, "does not run", false},
		"Pod of a StatefulSet":       {objects{"/namespaces/prod/pods/db-0": runningPod("prod", "db-0", inDB)}, "db-0.db.prod.svc.cluster.local", 13306, "port 13306 of Pod prod/db-0", false},
		"Pod of a StatefulSet, here": {objects{"/namespaces/ns/pods/db-0": runningPod("ns", "db-0", inDB)}, "db-0.db", 13306, "port 13306 of Pod ns/db-0", false},
		"Pod of another Service":     {objects{"/namespaces/prod/pods/db-0": runningPod("prod", "db-0")}, "db-0.db.prod.svc", 13306, `no Pod "db-0" of a Service "db"`, true},
		"ClusterIP": {objects{"/services?spec.clusterIP=10.0.0.9": &corev1.ServiceList{Items: []corev1.Service{*mysqlService("ns")}}, slices: endpointSlices("ns", "a")},
			"10.0.0.9", 3306, "port 23306 of Pod ns/a, of Service db", false},
		"Pod IP": {objects{"/pods?status.podIP=10.1.0.7": podList(runningPod("ns", "old", pending), runningPod("prod", "a"))}, "10.1.0.7", 3306, "port 3306 of Pod prod/a", false},
		"Pod IP, own namespace only": {objects{"/services?spec.clusterIP=10.1.0.7": nil, "/pods?status.podIP=10.1.0.7": nil, "/namespaces/ns/pods?status.podIP=10.1.0.7": podList(runningPod("ns", "a"))},
			"10.1.0.7", 3306, "port 3306 of Pod ns/a", false},
		"Pods of the host's network": {objects{"/pods?status.podIP=10.1.0.7": podList(runningPod("ns", "x", func(p *corev1.Pod) { p.Spec.Containers = nil }), runningPod("ns", "a"))}, "10-1-0-7.ns.pod", 13306, "port 13306 of Pod ns/a", false},
		"a name of the public DNS":   {objects{}, "db.example.com", 3306, "no Service and no Pod of this name", true},
		"an address outside":         {objects{}, "192.0.2.7", 3306, "no Service and no Pod has this address", true},
	} {
		t.Run(name, func(t *testing.T) {
			target, err := c.objects.resolver(t).Resolve(t.Context(), c.host, c.port)
			var text string
			if err != nil {
				text = cli.Explain(err)
			} else {
				text = target.String()
			}
			if err == nil && text != c.want || !strings.Contains(text, c.want) {
				t.Errorf("%s, want %s", text, c.want)
			}
			var outside *OutsideError
			if is := errors.As(err, &outside); is != c.outside || is && outside.Host != c.host {
				t.Errorf("outside of the cluster: %v, want %v: %v", is, c.outside, err)
			}
		})
	}
}
