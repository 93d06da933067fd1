// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package controllertest

import (
	"net/netip"
	"testing"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// StartBroker is a broker and a client for it.
func StartBroker(t *testing.T) (*osbtest.Broker, *osb.Client) {
	broker := osbtest.Start(t, osbtest.Options{})
	client, err := osb.NewClient(osb.Options{URL: broker.URL, Guard: outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, nil)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return broker, client
}
