// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"fmt"
	"net/netip"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/gophernetes/bellhop/internal/httpserver"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// NewGuard builds the SSRF guard: it refuses loopback, link-local, metadata and API server addresses, and the networks of --deny-outbound, except for
// the networks of --allow-outbound. It follows the API server's addresses until ctx ends, and the servers know API servers by them.
func NewGuard(ctx context.Context, cfg *rest.Config, o Options, servers *httpserver.Servers) (*outbound.Guard, error) {
	allowed, err := outbound.ParseNetworks("--allow-outbound", o.AllowOutbound)
	if err != nil {
		return nil, err
	}
	denied, err := outbound.ParseNetworks("--deny-outbound", o.DenyOutbound)
	if err != nil {
		return nil, err
	}
	clients, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	guard := outbound.NewGuard(allowed, nil)
	guard.Deny(denied)
	if o.ProxyResolvesNames {
		guard.LetProxyResolve()
	}
	set := func(addresses []netip.Addr) {
		guard.SetAPIServer(addresses)
		servers.SetAPIServers(addresses)
	}
	if err := apiserver.FollowAddresses(ctx, clients, cfg.Host, set); err != nil {
		return nil, fmt.Errorf("finding the API server's addresses, which no request may be sent to: %w", err)
	}
	return guard, nil
}
