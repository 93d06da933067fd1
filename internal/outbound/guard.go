// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
)

// Guard decides which addresses an outside request may reach. It refuses the addresses of the node, the cloud's metadata and the control plane: a URL
// in a user's object must not make the operator send requests there. The zero value refuses all of them.
type Guard struct {
	allow, deny   []netip.Prefix
	proxyResolves bool
	leads         func() error // nil: connections write at any time
	apiServer     atomic.Pointer[[]netip.Addr]
}

// NewGuard returns a guard that also refuses the API server's own addresses, and refuses nothing that allow lists.
func NewGuard(allow []netip.Prefix, apiServer []netip.Addr) *Guard {
	g := &Guard{allow: slices.Clone(allow)}
	g.SetAPIServer(apiServer)
	return g
}

// Deny refuses further networks, except for allowed ones. It is called before the first request.
func (g *Guard) Deny(networks []netip.Prefix) { g.deny = slices.Clone(networks) }

// LetProxyResolve permits requests through a proxy to names that only the proxy can resolve: their addresses are not checked. It is called
// before the first request.
func (g *Guard) LetProxyResolve() { g.proxyResolves = true }

// SetAPIServer sets the API server's own addresses, which may change at any time.
func (g *Guard) SetAPIServer(addrs []netip.Addr) {
	own := make([]netip.Addr, len(addrs))
	for i, addr := range addrs {
		own[i] = bare(addr)
	}
	g.apiServer.Store(&own)
}

func (g *Guard) isAPIServer(addr netip.Addr) bool {
	own := g.apiServer.Load()
	return own != nil && slices.Contains(*own, addr)
}

// Check returns an *Error of kind Refused if the address must not be reached. A form of IPv6 that carries an IPv4 address
// is judged as that: a gateway on the way would deliver it there.
func (g *Guard) Check(addr netip.Addr) error {
	addr = bare(addr)
	if g.allows(addr) {
		return nil
	}
	for _, a := range append(embedded(addr), addr) {
		if class := g.class(a); class != "" && !g.allows(a) {
			return &Error{Kind: Refused, Message: "the address is " + class + ", and the operator's --allow-outbound does not list it"}
		}
	}
	return nil
}

// CheckHost is Check of a host that is an IP address or localhost. A name is checked by its addresses when it is dialed.
func (g *Guard) CheckHost(host string) error {
	if _, err := Host(host); err != nil {
		return err
	}
	if addr, ok := Literal(host); ok {
		return g.Check(addr)
	}
	return nil
}

func (g *Guard) allows(addr netip.Addr) bool {
	return contains(g.allow, addr)
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// metadata has the addresses of services that answer with the cloud credentials of the node or the Pod.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"),    // AWS, Azure, GCP and most others
	netip.MustParseAddr("fd00:ec2::254"),      // AWS
	netip.MustParseAddr("fd00:ec2::23"),       // EKS Pod Identity
	netip.MustParseAddr("fd20:ce::254"),       // GCP
	netip.MustParseAddr("100.100.100.200"),    // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),      // Azure's host agent
	netip.MustParseAddr("192.0.0.192"),        // Oracle Cloud, classic
	netip.MustParseAddr("fd00:c1::a9fe:a9fe"), // Oracle Cloud
	netip.MustParseAddr("fd00:42::42"),        // Scaleway
	netip.MustParseAddr("fd00:a9fe:a9fe::1"),  // Linode
}

// class describes an address that is refused; "" for any other.
func (g *Guard) class(addr netip.Addr) string {
	switch {
	case !addr.IsValid():
		return "not an IP address"
	case g.isAPIServer(addr):
		return "the API server's own"
	case slices.Contains(metadata, addr):
		return "a cloud metadata address"
	case addr.IsLoopback():
		return "a loopback address, which is in the operator's own Pod"
	case addr.IsLinkLocalUnicast(), addr.IsLinkLocalMulticast():
		return "a link-local address"
	case addr.IsMulticast():
		return "a multicast address"
	case addr.IsUnspecified():
		return "the unspecified address"
	case thisNetwork.Contains(addr):
		return "in the network 0.0.0.0/8, which leads to the operator itself"
	case addr == broadcast:
		return "the broadcast address"
	case contains(g.deny, addr):
		return "in a network of the operator's --deny-outbound"
	}
	return ""
}

// bare strips the parts of an address that do not change its destination: the zone, and the IPv6 spelling of IPv4.
func bare(addr netip.Addr) netip.Addr { return addr.WithZone("").Unmap() }

var (
	sixToFour  = netip.MustParsePrefix("2002::/16")       // RFC 3056
	nat64      = netip.MustParsePrefix("64:ff9b::/96")    // RFC 6052
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48")  // RFC 8215
	compatible = netip.MustParsePrefix("::/96")           // RFC 4291, 2.5.5.1
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // SIIT, RFC 2765
	teredo     = netip.MustParsePrefix("2001::/32")       // RFC 4380

	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	broadcast   = netip.MustParseAddr("255.255.255.255")
)

// embedded returns the IPv4 addresses that an IPv6 address may stand for.
func embedded(addr netip.Addr) []netip.Addr {
	b := addr.As16()
	v4 := func(i, j, k, l int) netip.Addr { return netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]}) }
	switch {
	case addr.Is4():
		return nil
	case sixToFour.Contains(addr):
		return []netip.Addr{v4(2, 3, 4, 5)}
	case compatible.Contains(addr) && !addr.IsUnspecified() && !addr.IsLoopback(), translated.Contains(addr):
		return []netip.Addr{v4(12, 13, 14, 15)}
	case teredo.Contains(addr): // the server, and the client, whose bits are inverted
		for i := 12; i < 16; i++ {
			b[i] = ^b[i]
		}
		return []netip.Addr{v4(4, 5, 6, 7), v4(12, 13, 14, 15)}
	case nat64.Contains(addr):
		return []netip.Addr{v4(12, 13, 14, 15)}
	case localNAT64.Contains(addr):
		// The site chooses the prefix length, and with it where the IPv4 address stands (RFC 6052, 2.2). We do not know
		// which it is, so each reading must pass. A reading that begins with zero does not count: it reads the padding.
		readings := []netip.Addr{v4(6, 7, 9, 10), v4(7, 9, 10, 11), v4(9, 10, 11, 12), v4(12, 13, 14, 15)}
		return slices.DeleteFunc(readings, func(a netip.Addr) bool { return a.As4()[0] == 0 })
	}
	return nil
}

// ParseNetworks reads a flag of the operator with CIDRs and addresses, separated by commas.
func ParseNetworks(flag, list string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for value := range strings.SplitSeq(list, ",") {
		value = strings.TrimSpace(value)
		if value == "" {
			continue // templates leave a comma at the end
		}
		prefix, err := parsePrefix(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %q %w", flag, value, err)
		}
		networks = append(networks, prefix)
	}
	return networks, nil
}

func parsePrefix(value string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(value); err == nil {
		addr = bare(addr)
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(value)
	switch {
	case err != nil:
		return netip.Prefix{}, errors.New("is neither an address nor a CIDR; write it like 10.0.0.7, 10.0.0.0/8 or fd00::/8")
	case prefix.Addr().Is4In6():
		return netip.Prefix{}, errors.New("is IPv4 in IPv6 form and would match nothing; write it like 10.0.0.0/8")
	case prefix != prefix.Masked():
		return netip.Prefix{}, fmt.Errorf("has host bits set; write %s for the network, or %s for the address",
			prefix.Masked(), prefix.Addr())
	}
	return prefix, nil
}
