// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func aService(clusterIP string, ports ...corev1.ServicePort) *corev1.Service {
	s := &corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: clusterIP, Ports: ports}}
	s.Namespace, s.Name = "ns", "db"
	return s
}

func TestPortsOfServices(t *testing.T) {
	sql := corev1.ServicePort{Name: "sql", Port: 3306, TargetPort: intstr.FromString("mysql")}
	web := corev1.ServicePort{Name: "web", Port: 80, TargetPort: intstr.FromInt32(8080)}
	udp := corev1.ServicePort{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{
		{Ports: []corev1.ContainerPort{{Name: "metrics", ContainerPort: 9100}}},
		{Ports: []corev1.ContainerPort{{Name: "mysql", ContainerPort: 13306, Protocol: corev1.ProtocolTCP}}},
	}}}
	for name, c := range map[string]struct {
		service *corev1.Service
		port    int
		want    int // of the Pod
		err     string
	}{
		"named target":             {aService("10.0.0.1", web, sql), 3306, 13306, ""},
		"target by number":         {aService("10.0.0.1", web, sql), 80, 8080, ""},
		"no target":                {aService("10.0.0.1", corev1.ServicePort{Port: 5432}), 5432, 5432, ""},
		"the only port":            {aService("10.0.0.1", udp, sql), 0, 13306, ""},
		"unknown, of two":          {aService("10.0.0.1", web, sql), 0, 0, "has 2 TCP ports: 80/web, 3306/sql"},
		"another port":             {aService("10.0.0.1", sql), 3307, 0, "no TCP port 3307: it has 3306/sql"},
		"UDP":                      {aService("10.0.0.1", udp), 53, 0, "no TCP port"},
		"headless":                 {aService("None", sql), 3306, 3306, ""},
		"headless, any port":       {aService("None"), 9999, 9999, ""},
		"headless, the only port":  {aService("None", sql), 0, 13306, ""},
		"a name that no Pod has":   {aService("10.0.0.1", corev1.ServicePort{Port: 1, TargetPort: intstr.FromString("x")}), 1, 0, ""},
		"name of another protocol": {aService("10.0.0.1", corev1.ServicePort{Port: 53, Protocol: corev1.ProtocolUDP}, sql), 53, 0, "no TCP port 53"},
	} {
		port, err := servicePort(c.service, c.port)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want an error with %q", name, err, c.err)
			}
		case err != nil || podPort(pod, port) != c.want:
			t.Errorf("%s: %d, %v, want %d", name, podPort(pod, port), err, c.want)
		}
	}
}

func TestEndpointSlices(t *testing.T) {
	endpoint := func(pod string, ready *bool) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{
			Addresses: []string{"10.1.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ready},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "ns", Name: pod},
		}
	}
	slice := func(port int32, endpoints ...discoveryv1.Endpoint) discoveryv1.EndpointSlice {
		return discoveryv1.EndpointSlice{Endpoints: endpoints, Ports: []discoveryv1.EndpointPort{
			{Name: new("web"), Port: new(int32(1))}, {Name: new("sql"), Port: new(port)},
		}}
	}
	sql := wantedPort{ServicePort: corev1.ServicePort{Name: "sql", Port: 3306}}
	for name, c := range map[string]struct {
		slices []discoveryv1.EndpointSlice
		port   wantedPort
		want   string
		err    string
	}{
		"the first that is ready": {[]discoveryv1.EndpointSlice{slice(13306, endpoint("c", nil), endpoint("a", new(false))), slice(23306, endpoint("b", new(true)))}, sql, "port 23306 of Pod ns/b, of Service db", ""},
		"headless":                {[]discoveryv1.EndpointSlice{slice(13306, endpoint("c", nil))}, wantedPort{pod: 5}, "port 5 of Pod ns/c, of Service db", ""},
		"none is ready":           {[]discoveryv1.EndpointSlice{slice(13306, endpoint("a", new(false)))}, sql, "", "1 are not"},
		"without the port":        {[]discoveryv1.EndpointSlice{slice(13306, endpoint("a", nil))}, wantedPort{ServicePort: corev1.ServicePort{Name: "x"}}, "", "has the port"},
		"nothing":                 {[]discoveryv1.EndpointSlice{slice(13306)}, sql, "", "has no Pods"},
		"addresses that are no Pods": {[]discoveryv1.EndpointSlice{slice(3306, discoveryv1.Endpoint{Addresses: []string{"192.0.2.7"}})}, sql, "",
			"not in the cluster: Service ns/db leads to 192.0.2.7"},
	} {
		found := endpointsOf(c.slices, c.port)
		target, err := found.choose(aService("10.0.0.1"))
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want an error with %q", name, err, c.err)
			}
		case err != nil || target.String() != c.want:
			t.Errorf("%s: %v, %v, want %s", name, target, err, c.want)
		}
	}
}
