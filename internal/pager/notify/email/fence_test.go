// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// The process was stopped after its last decision, and another one may lead, which sends the mail.
func TestNoMailWhileAnotherProcessMayLead(t *testing.T) {
	server := newServer(t, notifytest.SMTPOptions{StartTLS: true})
	guard := outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, nil)
	guard.WriteWhile(func() error { return errors.New("the lease has ended") })
	client, err := outbound.NewClient(guard, outbound.Options{Timeout: 10 * time.Second, CABundle: server.CA()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Host: server.Addr(), From: "bellhop@example.com", To: []string{"oncall@example.com"}}, client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err = send(t.Context(), s, result.Fired, "delivery"); err == nil {
		t.Errorf("the mail was sent after the lease had ended: %q", server.Commands())
	}
}
