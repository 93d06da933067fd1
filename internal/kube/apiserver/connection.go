// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// OwnConnection returns an HTTP client that shares its connections with no other client of cfg. With HTTP/2 all requests to a
// server share one connection; behind many requests watches become so slow that the API server ends them.
func OwnConnection(cfg *rest.Config) (*http.Client, error) {
	own := rest.CopyConfig(cfg)
	if own.Dial == nil { // client-go shares transports without a dialer; this is its default one
		own.Dial = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	return rest.HTTPClientFor(own)
}
