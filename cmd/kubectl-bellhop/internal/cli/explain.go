// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Explain is the text of an error for the user: the problem and, where there is one, a hint.
func Explain(err error) string {
	if parts := Joined(err); parts != nil {
		var texts []string
		for _, part := range parts {
			texts = append(texts, Explain(part))
		}
		return strings.Join(texts, "\n")
	}
	text, hint := explain(err)
	if own := HintOf(err); own != "" {
		hint = own
	}
	if hint != "" {
		text += "\nhint: " + hint
	}
	return text
}

func explain(err error) (text, hint string) {
	var status apierrors.APIStatus
	var request *url.Error
	switch {
	case IsNotServed(err):
		return "error: " + err.Error(), hintNotInstalled
	case errors.As(err, &status):
		return explainStatus(status.Status())
	case meta.IsNoMatchError(err):
		return "error: " + err.Error(), hintNotInstalled
	case errors.As(err, &request):
		return explainRequest(request)
	default:
		return "error: " + err.Error(), ""
	}
}

// HowToAllow is how an administrator gives the user the right that an error says is missing, empty where no role is known.
func HowToAllow(err error) string {
	if _, hint := explain(err); apierrors.IsForbidden(err) {
		return hint
	}
	return ""
}

const hintNotInstalled = "Bellhop's CRDs are not installed in this cluster, or in another version; see kubectl bellhop doctor"

// explainStatus explains an answer of the API server.
func explainStatus(status metav1.Status) (text, hint string) {
	switch status.Reason {
	case metav1.StatusReasonForbidden:
		if text, hint, ok := explainForbidden(status.Message); ok {
			return text, hint
		}
		return "error: refused: " + withoutWebhook(status.Message), ""
	case metav1.StatusReasonNotFound:
		if status.Details != nil && status.Details.Name == "" {
			return "error: " + status.Message, hintNotInstalled
		}
		return "error: " + status.Message, ""
	case metav1.StatusReasonInvalid:
		return "error: " + explainInvalid(status), ""
	case metav1.StatusReasonUnauthorized:
		return "error: the API server does not accept the credentials of the kubeconfig", "log in again, or choose another --context"
	default:
		return "error: " + withoutWebhook(status.Message), ""
	}
}

// explainInvalid has a line for each field that was refused.
func explainInvalid(status metav1.Status) string {
	if status.Details == nil || len(status.Details.Causes) == 0 {
		return withoutWebhook(status.Message)
	}
	lines := []string{fmt.Sprintf("%s %q is invalid:", status.Details.Kind, status.Details.Name)}
	for _, cause := range status.Details.Causes {
		lines = append(lines, strings.TrimPrefix(fmt.Sprintf("  %s: %s", cause.Field, cause.Message), "  : "))
	}
	return strings.Join(lines, "\n")
}

var webhookPrefix = regexp.MustCompile(`^admission webhook "[^"]*" denied the request: `)

// withoutWebhook removes the name of the webhook that refused a request, which does not help a user.
func withoutWebhook(message string) string { return webhookPrefix.ReplaceAllString(message, "") }

var forbidden = regexp.MustCompile(
	`User "([^"]*)" cannot (\w+) resource "([^"]*)" in API group "([^"]*)" (?:in the namespace "([^"]*)"|at the cluster scope)`)

// explainForbidden explains an answer of RBAC: the user, the action that is not allowed, and the role that allows it.
func explainForbidden(message string) (text, hint string, ok bool) {
	match := forbidden.FindStringSubmatch(message)
	if match == nil {
		return "", "", false
	}
	user, verb, resource, group, namespace := match[1], match[2], match[3], match[4], match[5]
	where := "in the whole cluster"
	if namespace != "" {
		where = fmt.Sprintf("in namespace %q", namespace)
	}
	text = fmt.Sprintf("error: user %q may not %s %s %s", user, verb, qualified(resource, group), where)
	if role := roleFor(verb, resource, group); role != "" {
		kind, scope := "rolebinding", " --namespace="+namespace
		if namespace == "" {
			kind, scope = "clusterrolebinding", ""
		}
		hint = fmt.Sprintf("an administrator can allow it: kubectl create %s NAME --clusterrole=%s --user=%s%s", kind, role, user, scope)
	}
	return text, hint, true
}

func qualified(resource, group string) string {
	if group == "" {
		return resource
	}
	return resource + "." + group
}

// roleFor is the ClusterRole of config/rbac that allows a verb, empty where there is no such role.
func roleFor(verb, resource, group string) string {
	short, _, _ := strings.Cut(group, ".")
	if group != "pager.k8s.co" && group != "servicecatalog.k8s.io" {
		return ""
	}
	level := "editor"
	if verb == "get" || verb == "list" || verb == "watch" {
		level = "viewer"
	}
	singular := strings.TrimSuffix(resource, "s")
	if strings.HasSuffix(resource, "classes") {
		singular = strings.TrimSuffix(resource, "es")
	}
	return fmt.Sprintf("bellhop-%s-%s-%s-role", short, singular, level)
}

// explainRequest explains why the API server could not be reached.
func explainRequest(err *url.Error) (text, hint string) {
	server := err.URL
	if parsed, parseErr := url.Parse(err.URL); parseErr == nil {
		server = parsed.Scheme + "://" + parsed.Host
	}
	if network, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Sprintf("error: the API server at %s cannot be reached: %v", server, network.Err), "check --context, --kubeconfig and the network"
	}
	return fmt.Sprintf("error: the request to the API server at %s failed: %v", server, err.Err), ""
}
