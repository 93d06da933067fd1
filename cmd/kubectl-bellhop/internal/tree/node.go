// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/workloads"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// kindPod is the kind of the nodes that printTree limits.
const kindPod = "Pod"

// Node is an object of the tree, with the objects below it.
type Node struct {
	Kind string `json:"kind"`
	// Name is the object's; of classes and plans it is the name in the broker's catalog.
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	// State is Ready, Reconciling, Stalled, NotReady, NotObserved or Deleting; of classes and plans Offered or Removed; of Secrets Exists, Empty,
	// Missing or Unknown; of Pods Ready or NotReady; of receivers below alerts, and alerts below receivers, the state of the delivery.
	State    string  `json:"state"`
	Reason   string  `json:"reason,omitempty"`
	Message  string  `json:"message,omitempty"`
	Children []*Node `json:"children,omitempty"`

	// joined prints the node and its only child in one line.
	joined bool
}

// builder reads objects and makes their nodes.
type builder struct {
	clients *kinds.Clients
	core    coreclient.CoreV1Interface
	// own is the namespace of the command; namespace the namespace of the objects that are listed, empty: all.
	own, namespace string
	// groups are the API groups that the cluster has; of others there is nothing to list.
	groups     []string
	unreadable kinds.Unreadable
	pods       map[string][]*corev1.Pod // by namespace, once they were listed
}

// of returns the tree of one object.
func (b *builder) of(ctx context.Context, target kinds.Target) ([]*Node, error) {
	object, err := kinds.Find(ctx, b.clients, b.own, target)
	if err != nil {
		return nil, err
	}
	switch o := object.(type) {
	case *pagerv1beta1.Alert:
		return []*Node{alertNode(o)}, nil
	case *pagerv1beta1.AlertSource:
		alerts, err := b.listAll(ctx, kinds.Alert)
		return []*Node{sourceNode(o, alerts)}, err
	case pagerv1beta1.ReceiverObject:
		node, err := b.receiver(ctx, object, o)
		return []*Node{node}, err
	case *servicecatalogv1beta1.ServiceInstance:
		return b.instance(ctx, o)
	case *servicecatalogv1beta1.ServiceBinding:
		return b.binding(ctx, o)
	case servicecatalogv1beta1.Broker:
		l, err := b.load(ctx)
		if err != nil {
			return nil, err
		}
		node, err := b.brokerNode(ctx, l, object)
		return []*Node{node}, err
	default:
		return nil, errNoObject
	}
}

// everything returns the trees of all brokers and alerts, and instances and bindings that belong to none.
func (b *builder) everything(ctx context.Context) ([]*Node, error) {
	l, err := b.load(ctx)
	if err != nil {
		return nil, err
	}
	brokers, err := b.listAll(ctx, kinds.ClusterServiceBroker, kinds.ServiceBroker)
	if err != nil {
		return nil, err
	}
	roots := []*Node{}
	for _, broker := range brokers {
		node, err := b.brokerNode(ctx, l, broker)
		if err != nil {
			return nil, err
		}
		roots = append(roots, node)
	}
	rest, err := b.unplaced(ctx, l)
	if err != nil {
		return nil, err
	}
	roots = append(roots, rest...)
	alerts, err := b.listAll(ctx, kinds.Alert)
	for _, alert := range alerts {
		roots = append(roots, alertNode(alert.(*pagerv1beta1.Alert)))
	}
	return roots, err
}

// listAll lists objects of some kinds. Kinds that the user may not read are left out.
func (b *builder) listAll(ctx context.Context, selected ...*kinds.Kind) ([]cli.Object, error) {
	var all []cli.Object
	for _, k := range selected {
		if b.groups != nil && !slices.Contains(b.groups, k.Group) {
			continue
		}
		objects, err := k.List(ctx, b.clients, b.namespace)
		if err := b.unreadable.Skip(err, k.Resource); err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}

// newNode is an object with the state that its conditions say.
func newNode(object cli.Object) *Node {
	state := kinds.StateOf(object)
	n := &Node{
		Kind: object.GetObjectKind().GroupVersionKind().Kind, Name: object.GetName(), Namespace: object.GetNamespace(),
		State: state.State, Reason: state.Reason,
	}
	if state.State != kinds.StateReady {
		n.Message = state.Message
	}
	return n
}

// alertNode has a child for each receiver.
func alertNode(alert *pagerv1beta1.Alert) *Node {
	n := newNode(alert)
	for _, d := range alert.Status.Deliveries {
		n.Children = append(n.Children, deliveryNode(d, string(d.Kind), d.Name, alert.Namespace))
	}
	for _, ref := range alert.Spec.ReceiverRefs {
		if findDelivery(alert, ref.Kind, ref.Name) == nil {
			d := pagerv1beta1.Delivery{State: pagerv1beta1.DeliveryPending, Message: "not tried yet"}
			n.Children = append(n.Children, deliveryNode(d, string(ref.Kind), ref.Name, alert.Namespace))
		}
	}
	sortNodes(n.Children)
	return n
}

func deliveryNode(d pagerv1beta1.Delivery, kind, name, namespace string) *Node {
	if kind == string(pagerv1beta1.KindClusterReceiver) {
		namespace = ""
	}
	return &Node{Kind: kind, Name: name, Namespace: namespace, State: string(d.State), Reason: d.Reason, Message: d.Message}
}

func findDelivery(alert *pagerv1beta1.Alert, kind pagerv1beta1.ReceiverKind, name string) *pagerv1beta1.Delivery {
	for i, d := range alert.Status.Deliveries {
		if d.Kind == kind && d.Name == name {
			return &alert.Status.Deliveries[i]
		}
	}
	return nil
}

// sourceNode has a child for each alert that is from it.
func sourceNode(source *pagerv1beta1.AlertSource, alerts []cli.Object) *Node {
	n := newNode(source)
	for _, alert := range alerts {
		if alert.GetNamespace() == source.Namespace && alert.GetLabels()[pagerv1beta1.AlertSourceLabel] == source.Name {
			n.Children = append(n.Children, alertNode(alert.(*pagerv1beta1.Alert)))
		}
	}
	return n
}

// receiver has a child for each alert that goes to it.
func (b *builder) receiver(ctx context.Context, object cli.Object, receiver pagerv1beta1.ReceiverObject) (*Node, error) {
	n := newNode(object)
	alerts, err := b.listAll(ctx, kinds.Alert)
	for _, o := range alerts {
		alert := o.(*pagerv1beta1.Alert)
		kind := pagerv1beta1.ReceiverKind(n.Kind)
		if receiver.GetNamespace() != "" && receiver.GetNamespace() != alert.Namespace {
			continue
		}
		if d := findDelivery(alert, kind, receiver.GetName()); d != nil {
			n.Children = append(n.Children, deliveryNode(*d, "Alert", alert.Name, alert.Namespace))
		}
	}
	return n, err
}

// secretNode says whether the Secret of a binding is there. It does not show its content.
func (b *builder) secretNode(ctx context.Context, binding *servicecatalogv1beta1.ServiceBinding) (*Node, error) {
	n := &Node{Kind: "Secret", Name: catalog.SecretName(binding), Namespace: binding.Namespace, State: "Exists"}
	secret, err := b.core.Secrets(binding.Namespace).Get(ctx, n.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err):
		n.State = "Unknown"
		return n, b.unreadable.Skip(err, "secrets")
	case apierrors.IsNotFound(err):
		n.State = "Missing"
	case err != nil:
		return nil, err
	case len(secret.Data) == 0:
		n.State = "Empty"
	}
	return n, nil
}

// podNodes are the Pods that use the Secret of a binding, Pods that are not ready first.
func (b *builder) podNodes(ctx context.Context, binding *servicecatalogv1beta1.ServiceBinding) ([]*Node, error) {
	pods, known := b.pods[binding.Namespace]
	if !known {
		var err error
		pods, err = workloads.ListPods(ctx, b.core, binding.Namespace, "")
		if err := b.unreadable.Skip(err, "pods"); err != nil {
			return nil, err
		}
		b.pods[binding.Namespace] = pods
	}
	var nodes []*Node
	for _, pod := range pods {
		if !workloads.UseOf(pod, catalog.SecretName(binding)).IsUsed() {
			continue
		}
		n := &Node{Kind: kindPod, Name: pod.Name, Namespace: pod.Namespace, State: kinds.StateReady}
		if !workloads.IsReady(pod) {
			n.State, n.Reason, n.Message = kinds.StateNotReady, string(pod.Status.Phase), workloads.Trouble(pod)
		}
		nodes = append(nodes, n)
	}
	slices.SortStableFunc(nodes, func(a, b *Node) int { return cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(a.Name, b.Name)) })
	return nodes, nil
}

func sortNodes(nodes []*Node) {
	slices.SortStableFunc(nodes, func(a, b *Node) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}
