// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// Target is a port of a Pod.
type Target struct {
	Namespace, Pod string
	Port           int
	// Service is the name of the Service that led to the Pod, if one did.
	Service string
}

// String is a text for messages.
func (t *Target) String() string {
	text := fmt.Sprintf("port %d of Pod %s/%s", t.Port, t.Namespace, t.Pod)
	if t.Service != "" {
		text += ", of Service " + t.Service
	}
	return text
}

// OutsideError is of a host that is no Service and no Pod of the cluster.
type OutsideError struct{ Host, Reason string }

func (e *OutsideError) Error() string {
	return fmt.Sprintf("host %q is not in the cluster: %s", e.Host, e.Reason)
}

// Resolver finds the Pod that a host leads to.
type Resolver struct {
	Core      coreclient.CoreV1Interface
	Discovery discoveryclient.DiscoveryV1Interface
	// Namespace is where programs use the host: short names are of this namespace.
	Namespace string
}

// errAbsent is of a host that does not have a meaning in this cluster.
var errAbsent = errors.New("no such object")

// Resolve returns the Pod that a host leads to, and its port. Port is the port that programs connect to, 0 if it is not known: then there
// has to be only one. A host outside of the cluster is an *OutsideError.
func (r *Resolver) Resolve(ctx context.Context, host string, port int) (*Target, error) {
	meanings, explicit := references(host, r.Namespace)
	var refused error
	for _, meaning := range meanings {
		target, err := r.resolve(ctx, meaning, port)
		var outside *OutsideError
		switch {
		case err == nil:
			return target, nil
		case errors.Is(err, errAbsent):
		case errors.As(err, &outside):
			return nil, &OutsideError{host, outside.Reason}
		case !apierrors.IsForbidden(err) || explicit:
			return nil, err
		case refused == nil:
			refused = cli.WithHint(err, "the API server was asked because %q can be the name of a Service or Pod; if it is outside of the cluster, "+
				"exec runs commands with the credentials as they are", host)
		}
	}
	if refused != nil {
		return nil, refused
	}
	return nil, &OutsideError{host, absence(meanings, explicit)}
}

// absence names the object that was looked for and does not exist. A name of two or three labels may be meant for the public DNS.
func absence(meanings []reference, explicit bool) string {
	if len(meanings) == 0 {
		return "it does not have the form of the name of a Service or Pod"
	}
	ref := meanings[0]
	switch {
	case ref.ip != "":
		return "no Service and no Pod has this address"
	case explicit && ref.pod != "":
		return fmt.Sprintf("there is no Pod %q of a Service %q in namespace %q", ref.pod, ref.service, ref.namespace)
	case explicit:
		return fmt.Sprintf("there is no Service %q in namespace %q", ref.service, ref.namespace)
	case len(meanings) > 1 && meanings[1].service == "":
		return fmt.Sprintf("there is no Service or Pod %q in namespace %q", ref.service, ref.namespace)
	default:
		return "there is no Service and no Pod of this name"
	}
}

func (r *Resolver) resolve(ctx context.Context, ref reference, port int) (*Target, error) {
	switch {
	case ref.ip != "":
		return r.byAddress(ctx, ref.ip, port)
	case ref.pod != "":
		return r.byPod(ctx, ref, port)
	default:
		service, err := r.Core.Services(ref.namespace).Get(ctx, ref.service, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, errAbsent
		} else if err != nil {
			return nil, err
		}
		return r.byService(ctx, service, port)
	}
}

// byPod resolves the name of a Pod, where a Service is given only if the Pod has its name from it, as Pods of a StatefulSet have.
func (r *Resolver) byPod(ctx context.Context, ref reference, port int) (*Target, error) {
	pod, err := r.Core.Pods(ref.namespace).Get(ctx, ref.pod, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), err == nil && ref.service != "" && pod.Spec.Subdomain != ref.service:
		return nil, errAbsent
	case err != nil:
		return nil, err
	}
	return targetOf(pod, port)
}

// targetOf is the port of a Pod that runs.
func targetOf(pod *corev1.Pod, port int) (*Target, error) {
	if pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil {
		return nil, cli.WithHint(fmt.Errorf("pod %s/%s does not run, so that it cannot be connected to", pod.Namespace, pod.Name),
			"kubectl describe pod --namespace=%s %s shows why", pod.Namespace, pod.Name)
	}
	if port == 0 {
		ports := containerPorts(pod)
		if len(ports) != 1 {
			return nil, fmt.Errorf("the credentials have no port, and pod %s/%s has %d", pod.Namespace, pod.Name, len(ports))
		}
		port = int(ports[0].ContainerPort)
	}
	return &Target{Namespace: pod.Namespace, Pod: pod.Name, Port: port}, nil
}

// containerPorts are the TCP ports that the containers of a Pod declare.
func containerPorts(pod *corev1.Pod) (ports []corev1.ContainerPort) {
	for _, container := range pod.Spec.Containers {
		for _, p := range container.Ports {
			if p.Protocol == corev1.ProtocolTCP || p.Protocol == "" {
				ports = append(ports, p)
			}
		}
	}
	return ports
}

// byAddress resolves the address of a Service or Pod.
func (r *Resolver) byAddress(ctx context.Context, ip string, port int) (*Target, error) {
	services, err := listEverywhere(r.Namespace, func(namespace string) ([]corev1.Service, error) {
		list, err := r.Core.Services(namespace).List(ctx, selectField("spec.clusterIP", ip))
		if err != nil {
			return nil, err
		}
		return list.Items, nil
	})
	if err != nil {
		return nil, err
	}
	if len(services) > 0 {
		return r.byService(ctx, &services[0], port)
	}
	pods, err := listEverywhere(r.Namespace, func(namespace string) ([]corev1.Pod, error) {
		list, err := r.Core.Pods(namespace).List(ctx, selectField("status.podIP", ip))
		if err != nil {
			return nil, err
		}
		return list.Items, nil
	})
	if err != nil {
		return nil, err
	}
	return podOfAddress(pods, ip, port)
}

// podOfAddress chooses one of the Pods with an address: Pods in the network of their node share one, and differ in their ports.
func podOfAddress(pods []corev1.Pod, ip string, port int) (*Target, error) {
	var running []*corev1.Pod
	for i := range pods {
		if pods[i].Status.Phase == corev1.PodRunning { // others may have had the address before
			running = append(running, &pods[i])
		}
	}
	if len(running) == 0 {
		return nil, errAbsent
	}
	if len(running) == 1 {
		return targetOf(running[0], port)
	}
	for _, pod := range running {
		for _, p := range containerPorts(pod) {
			if int(p.ContainerPort) == port {
				return targetOf(pod, port)
			}
		}
	}
	return nil, fmt.Errorf("%d Pods have the address %s, and none declares port %d", len(running), ip, port)
}

func selectField(field, value string) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(field, value).String()}
}

// listEverywhere lists the objects of all namespaces, or of one where the user may not read others.
func listEverywhere[T any](namespace string, list func(namespace string) ([]T, error)) ([]T, error) {
	items, err := list(metav1.NamespaceAll)
	if apierrors.IsForbidden(err) {
		return list(namespace)
	}
	return items, err
}
