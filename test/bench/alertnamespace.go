// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// An alertNamespace is a namespace with Receivers, and Alerts that name them.
type alertNamespace struct {
	*loadGenerator
	namespace  string
	refs       []v1beta1.ReceiverRef
	roundRobin bool // each Alert names one of the Receivers, instead of all
}

// newAlertNamespace creates a namespace. isReady decides when the latency of an Alert ends.
func newAlertNamespace(ctx context.Context, api client.WithWatch, namespace string, isReady func(*v1beta1.Alert) bool) (*alertNamespace, error) {
	if err := makeNamespace(ctx, api, namespace); err != nil {
		return nil, err
	}
	events, err := watchTimeline(ctx, api, namespace, &v1beta1.AlertList{}, isReady)
	ns := &alertNamespace{namespace: namespace}
	ns.loadGenerator = &loadGenerator{api: api, newObject: ns.alert, timeline: events}
	return ns, err
}

func makeNamespace(ctx context.Context, api client.Client, name string) error {
	return api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

// addReceiver creates a Receiver. Alerts that are created later name it.
func (ns *alertNamespace) addReceiver(ctx context.Context, name string, recv *receiver) error {
	r := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: ns.namespace, Name: name}}
	r.Spec.Provider = recv.provider()
	ns.refs = append(ns.refs, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: name})
	return ns.api.Create(ctx, r)
}

func (ns *alertNamespace) alert(i int) client.Object {
	a := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: ns.namespace, Name: objectName(i)}}
	refs := ns.refs
	if ns.roundRobin {
		refs = refs[i%len(refs):][:1]
	}
	a.Spec = v1beta1.AlertSpec{
		Title:        "Disk almost full",
		Content:      "node-7 has 3 % left on /var/lib/containers, which is enough for about 20 minutes :warning:",
		Severity:     v1beta1.SeverityCritical,
		ReceiverRefs: refs,
	}
	return a
}
