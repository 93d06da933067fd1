/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// A site is a namespace with receivers and Alerts to them.
type site struct {
	*crowd
	namespace string
	refs      []v1beta1.ReceiverRef
	inTurn    bool // an Alert goes to one of them, not to all
}

// newSite makes a namespace. What sent says of an Alert ends its clock.
func newSite(ctx context.Context, api client.WithWatch, namespace string, sent func(*v1beta1.Alert) bool) (*site, error) {
	if err := makeNamespace(ctx, api, namespace); err != nil {
		return nil, err
	}
	seen, err := follow(ctx, api, namespace, &v1beta1.AlertList{}, sent)
	s := &site{namespace: namespace}
	s.crowd = &crowd{api: api, object: s.alert, seen: seen}
	return s, err
}

func makeNamespace(ctx context.Context, api client.Client, name string) error {
	return api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

// addReceiver makes a Receiver, to which all Alerts from now on go.
func (s *site) addReceiver(ctx context.Context, name string, to *receiver) error {
	r := &v1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	r.Spec.Webhook = &v1beta1.WebhookProvider{URL: to.url}
	s.refs = append(s.refs, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: name})
	return s.api.Create(ctx, r)
}

func (s *site) alert(i int) client.Object {
	a := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: objectName(i)}}
	refs := s.refs
	if s.inTurn {
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
