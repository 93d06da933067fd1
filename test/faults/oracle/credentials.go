// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/test/faults/scenario"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// checkText looks for credentials in a text.
func (c Checker) checkText(place, text string) {
	for _, credential := range []string{canary.Value, scenario.PlainCanary} {
		if canary.Find(map[string]string{place: text}, credential) != "" {
			c.Reportf("a credential is in %s", place)
		}
	}
}

// checkCanary looks for credentials in an object, unless it is a Secret.
func (c Checker) checkCanary(o client.Object) {
	if _, ok := o.(*corev1.Secret); !ok {
		text, _ := json.Marshal(o)
		c.checkText(fmt.Sprintf("%T %s", o, o.GetName()), string(text))
	}
}

// checkEvents checks events, also those about brokers and receivers of the cluster.
func (c Checker) checkEvents() {
	namespaces := []string{c.Namespace}
	if c.ClusterWide {
		namespaces = append(namespaces, metav1.NamespaceDefault)
	}
	for _, namespace := range namespaces {
		var events eventsv1.EventList
		if err := c.Client.List(c.Ctx, &events, client.InNamespace(namespace)); err != nil {
			c.Reportf("reading events: %v", err)
		}
		for i := range events.Items {
			if e := &events.Items[i]; e.Namespace == c.Namespace || strings.HasPrefix(e.Regarding.Name, c.SharedName("")) {
				c.checkCanary(e)
				c.checkWarning(e)
			}
		}
	}
}

// checkWarning reports a Warning event where nothing fails. F-B3: steady operation makes none.
func (c Checker) checkWarning(e *eventsv1.Event) {
	if e.Type == corev1.EventTypeWarning && c.Fault.Kind == "" && !c.Troubled {
		c.Reportf("nothing failed, and there is the event %s about %s %s: %s", e.Reason, e.Regarding.Kind, e.Regarding.Name, e.Note)
	}
}
