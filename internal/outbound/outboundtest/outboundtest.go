// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package outboundtest has the functions that tests of outside requests share.
package outboundtest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
)

// Client returns a client that may reach loopback addresses and gives up after ten seconds.
func Client(t testing.TB) *outbound.Client {
	t.Helper()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	client, err := outbound.NewClient(outbound.NewGuard(loopback, nil), outbound.Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}
