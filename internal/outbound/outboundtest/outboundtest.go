/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// Package outboundtest has what tests of outside requests share.
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
