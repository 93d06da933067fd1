// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"regexp"
	"slices"
	"strings"
)

// resourcePath is what a URL path of the API names.
type resourcePath struct {
	group, resource, namespace, name, subresource string
	prefix                                        string // up to the version
}

// parsePath reads a path; ok: it names a resource.
func parsePath(path string) (target resourcePath, ok bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	prefixLength := 2 // api/v1
	if len(parts) > 0 && parts[0] == "apis" {
		prefixLength = 3 // apis/GROUP/VERSION
	}
	if len(parts) <= prefixLength || parts[0] != "api" && parts[0] != "apis" {
		return target, false
	}
	target.prefix = "/" + strings.Join(parts[:prefixLength], "/")
	if prefixLength == 3 {
		target.group = parts[1]
	}
	rest := parts[prefixLength:]
	if rest[0] == "namespaces" && len(rest) > 2 {
		target.namespace, rest = rest[1], rest[2:]
	}
	for i, to := range []*string{&target.resource, &target.name, &target.subresource} {
		if i < len(rest) {
			*to = rest[i]
		}
	}
	return target, true
}

func (r resourcePath) path() string {
	path := r.prefix
	if r.namespace != "" {
		path += "/namespaces/" + r.namespace
	}
	parts := slices.DeleteFunc([]string{r.resource, r.name, r.subresource}, func(part string) bool { return part == "" })
	return path + "/" + strings.Join(parts, "/")
}

// RunLabel marks the objects of a run that have no namespace.
const RunLabel = "faults.bellhop.gophernetes.io/run"

// runPrefix begins the names of objects without namespace; each run has its own.
var runPrefix = regexp.MustCompile(`run-[a-z0-9]{5}-`)

// pageSuffix ends the name of an Alert about a Deployment, and differs with the UID of that.
var pageSuffix = regexp.MustCompile(`\b(deployment-[a-z]+)-[0-9a-f]{8}\b`)

// StripRunName removes those parts of names, so that a text is the same in each run.
func StripRunName(text string) string {
	return pageSuffix.ReplaceAllString(runPrefix.ReplaceAllString(text, ""), "$1")
}

// namespacedResources are the resources of which a process sees only those in the namespace of its run.
var namespacedResources = []string{"alerts", "alertsources", "receivers", "serviceinstances", "servicebindings", "servicebrokers", "serviceclasses", "serviceplans", "secrets",
	"deployments", "statefulsets", "daemonsets", "jobs", "cronjobs", "persistentvolumeclaims", "pods"}

// clusterResources are the resources without namespace that belong to a run by their label.
var clusterResources = []string{"clusterreceivers", "clusterservicebrokers", "clusterserviceclasses", "clusterserviceplans"}

// isClusterScoped reports whether a resource is one of clusterResources.
func isClusterScoped(target resourcePath) bool {
	return slices.Contains(clusterResources, target.resource)
}
