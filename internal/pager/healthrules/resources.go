// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Watched is a resource whose objects may ask for Alerts.
type Watched struct {
	// GroupVersionResource is of the version that is read; an empty one is the version that the API server prefers.
	schema.GroupVersionResource
	// Failures are the conditions that mean a failure; none: those that Compute knows.
	Failures []Sign
}

// String returns the resource as ParseWatched reads it.
func (w Watched) String() string {
	text := FormatResource(w.GroupVersionResource)
	if len(w.Failures) == 0 {
		return text
	}
	signs := make([]string, len(w.Failures))
	for i, sign := range w.Failures {
		signs[i] = sign.String()
	}
	return text + ":" + strings.Join(signs, "|")
}

// Sign is a condition that means a failure.
type Sign struct {
	// Condition is its type, and Status is True, False or Unknown.
	Condition, Status string
}

func (s Sign) String() string { return s.Condition + "=" + s.Status }

// builtIn are the resources whose objects may ask for Alerts without a flag.
var builtIn = []schema.GroupVersionResource{
	{Group: "apps", Version: "v1", Resource: "deployments"},
	{Group: "apps", Version: "v1", Resource: "statefulsets"},
	{Group: "apps", Version: "v1", Resource: "daemonsets"},
	{Group: "batch", Version: "v1", Resource: "jobs"},
	{Group: "batch", Version: "v1", Resource: "cronjobs"},
	{Version: "v1", Resource: "persistentvolumeclaims"},
	{Group: "servicecatalog.k8s.io", Version: "v1beta1", Resource: "serviceinstances"},
	{Group: "servicecatalog.k8s.io", Version: "v1beta1", Resource: "servicebindings"},
}

// ParseWatched reads a list such as "cert-manager.io/v1/certificates,rollouts.argoproj.io:Available=False|InvalidSpec=True", and returns it after
// the built-in resources. Of a resource that is named again the last entry counts.
func ParseWatched(list string) ([]Watched, error) {
	var watched []Watched
	for _, resource := range builtIn {
		watched = append(watched, Watched{GroupVersionResource: resource})
	}
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		parsed, err := parseWatched(item)
		if err != nil {
			return nil, err
		}
		watched = slices.DeleteFunc(watched, func(w Watched) bool { return w.GroupResource() == parsed.GroupResource() })
		watched = append(watched, parsed)
	}
	return watched, nil
}

func parseWatched(item string) (Watched, error) {
	text, signs, hasSigns := strings.Cut(item, ":")
	resource, err := parseKind(text)
	if err != nil {
		return Watched{}, err
	}
	w := Watched{GroupVersionResource: resource}
	if !hasSigns {
		return w, nil
	}
	if resource.Group == "batch" && resource.Resource == "jobs" {
		return Watched{}, fmt.Errorf("%q has conditions: Jobs have an end, by which they are judged, so leave the entry out", item)
	}
	for sign := range strings.SplitSeq(signs, "|") {
		condition, status, _ := strings.Cut(sign, "=")
		if !slices.Contains([]string{statusTrue, statusFalse, statusUnknown}, status) || condition == "" {
			return Watched{}, fmt.Errorf("%q in %q is not a condition that means a failure, such as Available=False: TYPE=True, TYPE=False or TYPE=Unknown", sign, item)
		}
		w.Failures = append(w.Failures, Sign{Condition: condition, Status: status})
	}
	return w, nil
}

// parseKind reads a resource as ParseResource does, or as RESOURCE.GROUP, the name of a CustomResourceDefinition.
func parseKind(text string) (schema.GroupVersionResource, error) {
	if resource, group, ok := strings.Cut(text, "."); ok && resource != "" && group != "" && !strings.Contains(text, "/") && isLower(text) {
		return schema.GroupVersionResource{Group: group, Resource: resource}, nil
	}
	return ParseResource(text)
}

// ParseResource reads GROUP/VERSION/RESOURCE, or VERSION/RESOURCE of the core group.
func ParseResource(text string) (schema.GroupVersionResource, error) {
	parts := strings.Split(text, "/")
	if len(parts) == 2 {
		parts = append([]string{""}, parts...)
	}
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" || !isLower(text) {
		return schema.GroupVersionResource{}, fmt.Errorf("%q is not GROUP/VERSION/RESOURCE, such as cert-manager.io/v1/certificates, or RESOURCE.GROUP, such as rollouts.argoproj.io", text)
	}
	return schema.GroupVersionResource{Group: parts[0], Version: parts[1], Resource: parts[2]}, nil
}

func isLower(text string) bool { return strings.ToLower(text) == text }

// FormatResource returns a resource as GROUP/VERSION/RESOURCE, or as RESOURCE.GROUP without a version.
func FormatResource(r schema.GroupVersionResource) string {
	if r.Version == "" {
		return r.GroupResource().String()
	}
	return strings.TrimPrefix(r.Group+"/"+r.Version+"/"+r.Resource, "/")
}
