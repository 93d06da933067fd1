// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Problem is the problem of one field of a receiver's settings.
type Problem struct {
	Field   string // below the provider's, such as url
	Value   string // as it may be shown: without credentials
	Message string // the problem, or the values that are valid
}

// Problems are the problems of the settings of a receiver.
type Problems []Problem

// Add adds a problem. The value is shown.
func (p *Problems) Add(field, value, message string) {
	*p = append(*p, Problem{Field: field, Value: value, Message: message})
}

// AddURL adds a problem of a URL, of which only scheme and host are shown: the rest may be a credential.
func (p *Problems) AddURL(field, value, message string) { p.Add(field, shownURL(value), message) }

// URL checks an address that may have a query. It returns nil where the address is empty or has a problem.
func (p *Problems) URL(field, value string) *url.URL {
	if value == "" {
		return nil
	}
	u, problem := parseURL(value)
	if problem != "" {
		p.AddURL(field, value, problem)
		return nil
	}
	return u
}

// BaseURL checks the address of a service whose API is below it; see ParseBaseURL. It returns nil where the address is empty or has a
// problem.
func (p *Problems) BaseURL(field, value string) *url.URL {
	u := p.URL(field, value)
	if u != nil && !isBase(u) {
		p.AddURL(field, value, baseProblem)
		return nil
	}
	return u
}

// Link checks an address that the service or its users open. It has no user.
func (p *Problems) Link(field, value string) {
	if u := p.URL(field, value); u != nil && u.User != nil {
		p.AddURL(field, value, "must have no user and password: every recipient of a message sees them")
	}
}

// Line checks a text of one line.
func (p *Problems) Line(field, value string) {
	if strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }) {
		p.Add(field, value, "must be one line, without control characters")
	}
}

// Err returns the first problem as an error that names the field but not its value; nil: no problem.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return Invalid(p[0].Field, p[0].Message)
}

const baseProblem = "must have neither user, query nor fragment: credentials belong into the Secret"

func isBase(u *url.URL) bool {
	return u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}

// parseURL returns a URL, or its problem, without the URL itself.
func parseURL(value string) (u *url.URL, problem string) {
	u, err := url.Parse(strings.TrimSpace(value)) // the value of a Secret made with echo ends in a line break
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, urlProblem
	}
	if problem := HostProblem(u.Hostname(), u.Port()); problem != "" {
		return nil, problem
	}
	return u, ""
}

// numeric matches the last part of a host name that programs take for an IPv4 address (WHATWG URL, "ends in a number").
var numeric = regexp.MustCompile(`(?i)^([0-9]+|0x[0-9a-f]*)$`)

// HostProblem returns the problem of a host and a port of an address; "": none. A port may be empty. Forms of IPv4 addresses that only some programs
// read, such as 2130706433, 0x7f.0.0.1 and 127.1, would be looked up as names for ever.
func HostProblem(host, port string) string {
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return "must be a host with a port from 1 to 65535"
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if numeric.MatchString(labels[len(labels)-1]) {
		return "must be a host name, or an IP address in its usual form: IPv4 in four decimal numbers, such as 192.0.2.1"
	}
	return ""
}

// shownURL returns the part of an address that is no credential: scheme and host.
func shownURL(value string) string {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(value), "://")
	if !ok {
		scheme, rest = "", scheme
	} else {
		scheme += "://"
	}
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		scheme, rest = scheme+"…@", rest[at+1:]
	}
	if end := strings.IndexAny(rest, `/?#\`); end >= 0 && strings.Trim(rest[end:], "/") != "" {
		rest = rest[:end] + "/…"
	}
	return scheme + rest
}
