// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Host returns a host in the form in which DNS and TLS have it: ASCII, in lower case. net/http maps other characters to it on its own, a
// full-width letter to a letter and an ideographic full stop to a dot, so that a host has to be mapped before it is checked. A number that is no IP
// address is refused: some resolvers read 127.1 and 0x7f000001 as an address.
func Host(host string) (string, error) {
	if strings.ContainsFunc(host, func(r rune) bool { return r >= utf8.RuneSelf }) {
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", &Error{Kind: Refused, Message: "the host is not a valid internationalized domain name"}
		}
		host = ascii
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return host, nil
	}
	host = strings.ToLower(host)
	if endsInNumber(host) {
		return "", &Error{Kind: Refused, Message: "the host is neither a name nor an IP address: write IPv4 as 192.0.2.7"}
	}
	return host, nil
}

// setHost gives a URL its host in the form of Host.
func setHost(u *url.URL) error {
	host, err := Host(u.Hostname())
	if err == nil && host != u.Hostname() {
		u.Host = strings.TrimSuffix(net.JoinHostPort(host, u.Port()), ":")
	}
	return err
}

// endsInNumber reports whether the last label is a number, as in the URL standard: then the host has to be an IPv4 address.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndex(host, ".")+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return isDigits(last)
}

// Literal returns the address that a host is without a DNS request.
func Literal(host string) (netip.Addr, bool) {
	host, err := Host(host)
	if err != nil {
		return netip.Addr{}, false
	}
	if name := strings.TrimSuffix(host, "."); name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	ip, err := netip.ParseAddr(host)
	return ip, err == nil
}

// IsServiceName reports whether a host has the form of a Service's name. A single label is resolved in the cluster first. A host that Host
// refuses has none.
func IsServiceName(host string) bool {
	host, err := Host(host)
	host = strings.TrimSuffix(host, ".")
	return err == nil && (!strings.Contains(host, ".") || strings.HasSuffix(host, ".svc") || strings.Contains(host, ".svc."))
}
