// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// NormalizeAddress returns scheme, host, port and path of a broker's address, without a user and a query, so that two spellings of one
// address are the same; empty: it is no address of a broker.
func NormalizeAddress(value string) string {
	u, err := url.Parse(strings.TrimSpace(value))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return ""
	}
	host, port := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + host + ":" + port + strings.TrimRight(u.EscapedPath(), "/")
}

// maxFormer is the number of former addresses of a broker that are read: each decision about an object of the broker compares them.
const maxFormer = 16

// FormerAddresses returns the normalized addresses from which a broker has moved, as its annotation says: the first maxFormer values.
func FormerAddresses(b v1beta1.Broker) (addresses []string) {
	n := 0
	for value := range strings.SplitSeq(b.GetAnnotations()[v1beta1.MovedFromAnnotation], ",") {
		if n++; n > maxFormer {
			break
		}
		if address := NormalizeAddress(value); address != "" && !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}
	return addresses
}
