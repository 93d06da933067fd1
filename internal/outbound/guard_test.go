// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestGuardCheck(t *testing.T) {
	apiServer := []netip.Addr{netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("::ffff:10.0.0.5")}
	for _, c := range []struct {
		why, addr, allow string
		deny             string
		refused          string // part of the message
	}{
		{why: "a public address", addr: "93.184.215.14"},
		{why: "a public IPv6 address", addr: "2606:2800:21f:cb07::1"},
		{why: "in-cluster addresses are another policy's matter", addr: "10.0.3.4"},
		{why: "unique local addresses too", addr: "fd00::1"},
		{why: "loopback", addr: "127.0.0.1", refused: "a loopback address"},
		{why: "all of loopback", addr: "127.8.7.6", refused: "a loopback address"},
		{why: "IPv6 loopback", addr: "::1", refused: "a loopback address"},
		{why: "link-local", addr: "169.254.1.1", refused: "a link-local address"},
		{why: "IPv6 link-local with a zone", addr: "fe80::1%eth0", refused: "a link-local address"},
		{why: "link-local multicast", addr: "ff02::1", refused: "a link-local address"},
		{why: "multicast", addr: "239.1.2.3", refused: "a multicast address"},
		{why: "unspecified leads to loopback on Linux", addr: "0.0.0.0", refused: "the unspecified address"},
		{why: "IPv6 unspecified", addr: "::", refused: "the unspecified address"},
		{why: "metadata", addr: "169.254.169.254", refused: "a cloud metadata address"},
		{why: "AWS metadata", addr: "fd00:ec2::254", refused: "a cloud metadata address"},
		{why: "EKS Pod Identity", addr: "fd00:ec2::23", refused: "a cloud metadata address"},
		{why: "Alibaba metadata", addr: "100.100.100.200", refused: "a cloud metadata address"},
		{why: "Azure host agent", addr: "168.63.129.16", refused: "a cloud metadata address"},
		{why: "GCP metadata", addr: "fd20:ce::254", refused: "a cloud metadata address"},
		{why: "the API server", addr: "10.96.0.1", refused: "the API server's own"},
		{why: "the API server, given in mapped form", addr: "10.0.0.5", refused: "the API server's own"},
		{why: "IPv4-mapped", addr: "::ffff:127.0.0.1", refused: "a loopback address"},
		{why: "IPv4-mapped API server", addr: "::ffff:10.96.0.1", refused: "the API server's own"},
		{why: "NAT64", addr: "64:ff9b::169.254.169.254", refused: "a cloud metadata address"},
		{why: "NAT64 of a public address", addr: "64:ff9b::93.184.215.14"},
		{why: "local NAT64, /96", addr: "64:ff9b:1::127.0.0.1", refused: "a loopback address"},
		{why: "local NAT64, /48", addr: "64:ff9b:1:7f00:0:100::", refused: "a loopback address"},
		{why: "local NAT64, /56", addr: "64:ff9b:1:7f:0:1::", refused: "a loopback address"},
		{why: "local NAT64, /64", addr: "64:ff9b:1::7f:0:100:0", refused: "a loopback address"},
		{why: "local NAT64, /96, of a public address", addr: "64:ff9b:1::93.184.215.14"},
		{why: "local NAT64, /48, of a public address", addr: "64:ff9b:1:5db8:d7:e00::"},
		{why: "6to4", addr: "2002:7f00:1::1", refused: "a loopback address"},
		{why: "6to4 of a public address", addr: "2002:5db8:d70e::1"},
		{why: "allowed address", addr: "127.0.0.1", allow: "127.0.0.1"},
		{why: "allowed range", addr: "169.254.10.10", allow: "10.0.0.0/8, 169.254.0.0/16"},
		{why: "allowed API server", addr: "10.96.0.1", allow: "10.96.0.1"},
		{why: "allowed, in mapped form", addr: "::ffff:127.0.0.1", allow: "127.0.0.0/8"},
		{why: "allowed as what it carries", addr: "64:ff9b::127.0.0.1", allow: "127.0.0.0/8"},
		{why: "allowed as what it is", addr: "64:ff9b::127.0.0.1", allow: "64:ff9b::/96"},
		// F-P14: metadata addresses of all large clouds, forms of IPv6 that carry IPv4, and networks of the cluster's administrator.
		{why: "Oracle Cloud metadata", addr: "fd00:c1::a9fe:a9fe", refused: "a cloud metadata address"},
		{why: "Scaleway metadata", addr: "fd00:42::42", refused: "a cloud metadata address"},
		{why: "Linode metadata", addr: "fd00:a9fe:a9fe::1", refused: "a cloud metadata address"},
		{why: "IPv4-compatible", addr: "::169.254.169.254", refused: "a cloud metadata address"},
		{why: "IPv4-compatible of a public address", addr: "::93.184.215.14"},
		{why: "SIIT", addr: "::ffff:0:127.0.0.1", refused: "a loopback address"},
		{why: "SIIT of a public address", addr: "::ffff:0:93.184.215.14"},
		{why: "a Teredo server", addr: "2001:0:7f00:1::a247:28f1", refused: "a loopback address"},
		{why: "a Teredo client", addr: "2001:0:5db8:d70e::5601:5601", refused: "a cloud metadata address"},
		{why: "Teredo of public addresses", addr: "2001:0:5db8:d70e::a247:28f1"},
		// F-JP8: forms that lead to the operator itself, or to all hosts.
		{why: "this network", addr: "0.1.2.3", refused: "0.0.0.0/8"},
		{why: "broadcast", addr: "255.255.255.255", refused: "the broadcast address"},
		{why: "a denied network", addr: "10.0.3.4", deny: "10.0.0.0/8", refused: "in a network of the operator's --deny-outbound"},
		{why: "beside a denied network", addr: "11.0.3.4", deny: "10.0.0.0/8"},
		{why: "an exception of a denied network", addr: "10.0.3.4", deny: "10.0.0.0/8", allow: "10.0.3.4"},
		{why: "a denied network, given in 6to4 form", addr: "2002:a00:304::1", deny: "10.0.0.0/8", refused: "--deny-outbound"},
		{why: "a site's own NAT64 network", addr: "2001:db8:64::7f00:1", deny: "2001:db8:64::/96", refused: "--deny-outbound"},
		{why: "another one is allowed", addr: "127.0.0.1", allow: "127.0.0.2", refused: "a loopback address"},
	} {
		t.Run(c.why, func(t *testing.T) {
			allow, err := ParseNetworks("--allow-outbound", c.allow)
			if err != nil {
				t.Fatal(err)
			}
			deny, err := ParseNetworks("--deny-outbound", c.deny)
			if err != nil {
				t.Fatal(err)
			}
			guard := NewGuard(allow, apiServer)
			guard.Deny(deny)
			err = guard.Check(netip.MustParseAddr(c.addr))
			if c.refused == "" {
				if err != nil {
					t.Errorf("%s: refused: %v", c.addr, err)
				}
				return
			}
			own, ok := errors.AsType[*Error](err)
			if !ok || own.Kind != Refused || !strings.Contains(own.Message, c.refused) {
				t.Errorf("%s: got %v, want it refused as %s", c.addr, err, c.refused)
			}
		})
	}
	if (&Guard{}).Check(netip.Addr{}) == nil {
		t.Error("no address at all must be refused")
	}
}

func TestParseNetworks(t *testing.T) {
	for _, c := range []struct {
		why, flag string
		want      []string
		err       string
	}{
		{why: "nothing", flag: ""},
		{why: "addresses and ranges", flag: "10.0.0.0/8, 127.0.0.1,fd00::/8 ,::1", want: []string{"10.0.0.0/8", "127.0.0.1/32", "fd00::/8", "::1/128"}},
		{why: "a template's trailing comma", flag: "127.0.0.1,", want: []string{"127.0.0.1/32"}},
		{why: "a mapped address is the IPv4 address", flag: "::ffff:127.0.0.1", want: []string{"127.0.0.1/32"}},
		{why: "a host name", flag: "127.0.0.1,metadata.local", err: `--allow-outbound: "metadata.local" is neither`},
		{why: "a range that would match nothing", flag: "::ffff:10.0.0.0/104", err: "write it like 10.0.0.0/8"},
		{why: "host bits", flag: "10.1.2.3/8", err: "write 10.0.0.0/8 for the network, or 10.1.2.3 for the address"},
	} {
		t.Run(c.why, func(t *testing.T) {
			prefixes, err := ParseNetworks("--allow-outbound", c.flag)
			var got []string
			for _, p := range prefixes {
				got = append(got, p.String())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got error %v, want %q", err, c.err)
			}
		})
	}
}

// F-P15: the API server's present addresses are refused, and the former ones are not.
func TestGuardFollowsTheAPIServer(t *testing.T) {
	former, present := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.6")
	guard := NewGuard(nil, []netip.Addr{former})
	guard.SetAPIServer([]netip.Addr{present})
	if guard.Check(present) == nil || guard.Check(former) != nil {
		t.Errorf("present: %v, former: %v", guard.Check(present), guard.Check(former))
	}
}

func FuzzGuard(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add(netip.MustParseAddr("64:ff9b::7f00:1").AsSlice())
	f.Fuzz(func(t *testing.T, b []byte) {
		addr, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		everything := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		if err := NewGuard(everything, nil).Check(addr); err != nil {
			t.Errorf("%s is allowed, but: %v", addr, err)
		}
		if err := (&Guard{}).Check(addr); err == nil && (addr.IsLoopback() || addr.Unmap().IsLinkLocalUnicast()) {
			t.Errorf("%s passed", addr)
		}
	})
}
