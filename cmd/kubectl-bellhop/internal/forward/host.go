// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package forward connects a local port to the Pod that a host and a port of credentials lead to within the cluster.
package forward

import (
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// reference is an object that a host can mean in a cluster: a Service, a Pod, a Pod by the name that a headless Service gives it, or an address.
type reference struct {
	namespace, service, pod string
	ip                      string
}

// references returns the objects that a host can mean for a Pod of a namespace, in the order of the cluster's DNS search path. Explicit reports
// whether it can only be a name of the cluster. A host that is outside of every cluster has no references.
func references(host, namespace string) (all []reference, explicit bool) {
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if address, err := netip.ParseAddr(host); err == nil {
		if address.IsLoopback() || address.IsUnspecified() {
			return nil, false
		}
		return []reference{{ip: address.Unmap().String()}}, false
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if host == "localhost" || len(validation.IsDNS1123Label(label)) > 0 {
			return nil, false
		}
	}
	switch n := len(labels); {
	case n == 1:
		return []reference{{namespace: namespace, service: host}, {namespace: namespace, pod: host}}, false
	case n >= 3 && labels[2] == "svc":
		return []reference{{namespace: labels[1], service: labels[0]}}, true
	case n >= 4 && labels[3] == "svc":
		return []reference{{namespace: labels[2], service: labels[1], pod: labels[0]}}, true
	case n >= 3 && labels[2] == "pod":
		return podAddress(labels[0])
	case n == 2:
		return []reference{{namespace: labels[1], service: labels[0]}, {namespace: namespace, service: labels[1], pod: labels[0]}}, false
	case n == 3:
		return []reference{{namespace: labels[2], service: labels[1], pod: labels[0]}}, false
	default:
		return nil, false
	}
}

// podAddress is the address in the DNS name of a Pod, such as 10-1-2-3.
func podAddress(label string) ([]reference, bool) {
	for _, separator := range []string{".", ":"} {
		if address, err := netip.ParseAddr(strings.ReplaceAll(label, "-", separator)); err == nil {
			return []reference{{ip: address.String()}}, true
		}
	}
	return nil, false
}

// IsSameHost reports whether two hosts are the same for a Pod of a namespace, such as db and db.NAMESPACE.svc.
func IsSameHost(a, b, namespace string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	of, _ := references(a, namespace)
	other, _ := references(b, namespace)
	return len(of) > 0 && len(other) > 0 && of[0] == other[0]
}
