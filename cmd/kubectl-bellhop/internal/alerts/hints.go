// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"fmt"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/reasons"
)

// hint is advice about the first of an Alert's deliveries that has a reason, else about the Alert's own reason; empty: there is no advice.
func hint(alert *v1beta1.Alert, deliveries []v1beta1.Delivery, reason string) string {
	for _, d := range deliveries {
		if d.Reason == "" || d.Reason == v1beta1.ReasonSending {
			continue
		}
		if text := hintOfDelivery(alert, d); text != "" {
			return text
		}
	}
	if reason == v1beta1.ReasonNoReceiver {
		return "name a receiver with --to, or mark one as default: kubectl annotate receivers.pager.k8s.co NAME " + v1beta1.DefaultReceiverAnnotation + "=true"
	}
	return hintOfReason(reason, reasons.Alert)
}

// hintOfDelivery is advice about a delivery: a command where there is one, else the advice in the documentation.
func hintOfDelivery(alert *v1beta1.Alert, d v1beta1.Delivery) string {
	receiver := strings.ToLower(string(d.Kind)) + "s.pager.k8s.co/" + d.Name
	if d.Kind == v1beta1.KindReceiver {
		receiver += " --namespace=" + alert.Namespace
	}
	resend := fmt.Sprintf("kubectl bellhop resend %s --namespace=%s", alert.Name, alert.Namespace)
	switch d.Reason {
	case v1beta1.ReasonSuspended:
		command := "to end the suspension: kubectl bellhop resume " + refText(refOf(d))
		if d.Kind == v1beta1.KindReceiver {
			command += " --namespace=" + alert.Namespace
		}
		return command
	case v1beta1.ReasonNamespaceNotSelected:
		return fmt.Sprintf("to see which namespaces the receiver selects, none if nothing is printed: kubectl get %s -o jsonpath='{.spec.namespaceSelector}'", receiver)
	case v1beta1.ReasonSecretNotFound:
		return fmt.Sprintf("create that Secret; kubectl explain %ss.pager.k8s.co.spec says which keys it needs", strings.ToLower(string(d.Kind)))
	case v1beta1.ReasonRestored:
		return "to send it: " + resend
	case v1beta1.ReasonOutcomeUnknown:
		return "ask whether it arrived; to send it again: " + resend
	case v1beta1.ReasonExpired:
		return "to send a new Alert: " + pageCommand(alert)
	}
	text := hintOfReason(d.Reason, reasons.Answer, reasons.Alert)
	if text == "" {
		return ""
	}
	const certificate = "client certificate"
	if strings.Contains(d.Message, certificate) && !strings.Contains(text, certificate) {
		text += "; if the server wants a " + certificate + ", add it to the Secret as tls.crt and tls.key"
	}
	return refText(refOf(d)) + ": " + text
}

// hintOfReason is the documentation's advice about a reason; empty: no action is needed, or the reason is not known.
func hintOfReason(reason string, subjects ...reasons.Subject) string {
	explanation, ok := reasons.Explain(reason, subjects...)
	if !ok || explanation.NeedsNothing() {
		return ""
	}
	return explanation.Action
}
