// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// byService resolves a port of a Service to the port of a Pod that is ready.
func (r *Resolver) byService(ctx context.Context, service *corev1.Service, port int) (*Target, error) {
	name := service.Namespace + "/" + service.Name
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return nil, &OutsideError{service.Name, fmt.Sprintf("Service %s is of type ExternalName, for %s", name, service.Spec.ExternalName)}
	}
	p, err := servicePort(service, port)
	if err != nil {
		return nil, err
	}
	list, err := r.Discovery.EndpointSlices(service.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: labels.Set{discoveryv1.LabelServiceName: service.Name}.String(),
	})
	var found endpoints
	switch {
	case err == nil && len(list.Items) > 0:
		found = endpointsOf(list.Items, p)
	case err == nil || apierrors.IsForbidden(err):
		if found, err = r.endpointsBySelector(ctx, service, p); err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	return found.choose(service)
}

// wantedPort is a port of a Service.
type wantedPort struct {
	corev1.ServicePort
	// pod is the port of Pods, where the Service does not translate it; else 0.
	pod int
}

// servicePort is the port of a Service that programs connect to; 0 is its only one. Programs connect to the Pods of a headless Service
// directly, at any port of theirs.
func servicePort(service *corev1.Service, port int) (wantedPort, error) {
	var tcp []corev1.ServicePort
	var texts []string
	for _, p := range service.Spec.Ports {
		if p.Protocol != corev1.ProtocolTCP && p.Protocol != "" {
			continue
		}
		if int(p.Port) == port && service.Spec.ClusterIP != corev1.ClusterIPNone {
			return wantedPort{ServicePort: p}, nil
		}
		tcp = append(tcp, p)
		texts = append(texts, strings.TrimSuffix(fmt.Sprintf("%d/%s", p.Port, p.Name), "/"))
	}
	name := service.Namespace + "/" + service.Name
	switch {
	case port == 0 && len(tcp) == 1:
		return wantedPort{ServicePort: tcp[0]}, nil
	case port == 0:
		return wantedPort{}, fmt.Errorf("the credentials have no port, and service %s has %d TCP ports: %s", name, len(tcp), strings.Join(texts, ", "))
	case service.Spec.ClusterIP == corev1.ClusterIPNone:
		return wantedPort{pod: port}, nil
	case len(tcp) == 0:
		return wantedPort{}, fmt.Errorf("service %s has no TCP port", name)
	default:
		return wantedPort{}, fmt.Errorf("service %s has no TCP port %d: it has %s", name, port, strings.Join(texts, ", "))
	}
}

// endpoints are the Pods of a Service.
type endpoints struct {
	ready []Target
	// notReady counts Pods that are not ready, or do not have the port.
	notReady int
	// addresses are the addresses without a Pod, which are outside of the cluster.
	addresses []string
}

// endpointsOf reads EndpointSlices, which have the ports of Pods.
func endpointsOf(all []discoveryv1.EndpointSlice, port wantedPort) (found endpoints) {
	for _, slice := range all {
		number := port.pod
		for _, p := range slice.Ports {
			if number == 0 && deref(p.Name) == port.Name && (p.Protocol == nil || *p.Protocol == corev1.ProtocolTCP) {
				number = int(deref(p.Port))
			}
		}
		for _, endpoint := range slice.Endpoints {
			reference, ready := endpoint.TargetRef, endpoint.Conditions.Ready
			switch {
			case reference == nil || reference.Kind != "Pod":
				found.addresses = append(found.addresses, endpoint.Addresses...)
			case number == 0 || ready != nil && !*ready:
				found.notReady++
			default:
				found.ready = append(found.ready, Target{Namespace: cmp.Or(reference.Namespace, slice.Namespace), Pod: reference.Name, Port: number})
			}
		}
	}
	return found
}

func deref[T any](pointer *T) (value T) {
	if pointer != nil {
		return *pointer
	}
	return value
}

// endpointsBySelector finds the Pods of a Service by its selector, where there are no EndpointSlices or the user may not read them.
func (r *Resolver) endpointsBySelector(ctx context.Context, service *corev1.Service, port wantedPort) (found endpoints, err error) {
	if len(service.Spec.Selector) == 0 {
		return found, &OutsideError{service.Name, fmt.Sprintf("Service %s/%s has no selector and no EndpointSlices", service.Namespace, service.Name)}
	}
	pods, err := r.Core.Pods(service.Namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(service.Spec.Selector).String()})
	if err != nil {
		return found, err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		number := podPort(pod, port)
		if number == 0 || !isReady(pod) {
			found.notReady++
			continue
		}
		found.ready = append(found.ready, Target{Namespace: pod.Namespace, Pod: pod.Name, Port: number})
	}
	return found, nil
}

// podPort is the port of a Pod that a port of a Service leads to, 0 if the Pod has no port of the name.
func podPort(pod *corev1.Pod, port wantedPort) int {
	target := port.TargetPort
	switch {
	case port.pod != 0:
		return port.pod
	case target.Type == intstr.Int && target.IntVal != 0:
		return int(target.IntVal)
	case target.Type == intstr.Int || target.StrVal == "": // not set
		return int(port.Port)
	}
	for _, p := range containerPorts(pod) {
		if p.Name == target.StrVal {
			return int(p.ContainerPort)
		}
	}
	return 0
}

func isReady(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// choose returns the first Pod that is ready.
func (e *endpoints) choose(service *corev1.Service) (*Target, error) {
	name := service.Namespace + "/" + service.Name
	switch {
	case len(e.ready) > 0:
		target := slices.MinFunc(e.ready, func(a, b Target) int { return cmp.Compare(a.Pod, b.Pod) })
		target.Service = service.Name
		return &target, nil
	case e.notReady > 0:
		return nil, cli.WithHint(fmt.Errorf("service %s has no Pod that is ready and has the port: %d are not", name, e.notReady),
			"kubectl get pods --namespace=%s shows their state", service.Namespace)
	case len(e.addresses) > 0:
		return nil, &OutsideError{service.Name, fmt.Sprintf("Service %s leads to %s, which are no Pods", name, strings.Join(e.addresses, ", "))}
	default:
		return nil, cli.WithHint(fmt.Errorf("service %s has no Pods", name), "kubectl describe service --namespace=%s %s shows its selector", service.Namespace, service.Name)
	}
}
