// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/forward"
)

// rewriting replaces the host and port of a service in its credentials by the local end of a tunnel.
type rewriting struct {
	from hostPort
	// local is the port of this machine.
	local int
	// namespace is the namespace in which programs use the host.
	namespace string
}

func (r *rewriting) localAddress() string { return forward.Address + ":" + strconv.Itoa(r.local) }

// apply returns the credentials with the address of the tunnel. Unchanged are the keys of values that name the host in a form that is not
// known, such as JSON.
func (r *rewriting) apply(data map[string][]byte) (rewritten map[string][]byte, unchanged []string) {
	rewritten = make(map[string][]byte, len(data))
	for _, key := range slices.Sorted(maps.Keys(data)) {
		value := r.value(key, string(data[key]))
		if isText(data[key]) && r.isNamedIn(value) {
			unchanged = append(unchanged, key)
		}
		rewritten[key] = []byte(value)
	}
	return rewritten, unchanged
}

func (r *rewriting) value(key, value string) string {
	trimmed := strings.TrimSpace(value)
	switch u, ok := parseURI(value); {
	case ok && slices.ContainsFunc(u.hosts, func(h hostPort) bool { return r.isURIHost(h, u.scheme) }):
		return u.before + r.localAddress() + u.after
	case hostSuffix(key) != "" && r.isHost(trimmed):
		return forward.Address
	case isPortKey(key) && r.from.port != 0 && trimmed == strconv.Itoa(r.from.port):
		return strconv.Itoa(r.local)
	}
	return r.addresses(value)
}

func (r *rewriting) isHost(host string) bool {
	return forward.IsSameHost(host, r.from.host, r.namespace)
}

func (r *rewriting) isURIHost(h hostPort, scheme string) bool {
	if h.port == 0 {
		h.port = defaultPorts[scheme]
	}
	return r.isHost(h.host) && (h.port == r.from.port || h.port == 0 || r.from.port == 0)
}

// addresses replaces host:port within a text, as in a list of servers, or a URI whose password is not escaped.
func (r *rewriting) addresses(value string) string {
	if r.from.port == 0 {
		return value
	}
	address := regexp.MustCompile(`(^|[^A-Za-z0-9._-])` + regexp.QuoteMeta(r.from.String()) + `($|[^A-Za-z0-9._-])`)
	return address.ReplaceAllString(value, "${1}"+r.localAddress()+"${2}")
}

// isNamedIn reports whether a value still names the host. A name without a dot counts only where a text has a host, since a database may have the
// name of its Service.
func (r *rewriting) isNamedIn(value string) bool {
	host := regexp.QuoteMeta(r.from.host)
	if strings.Contains(r.from.host, ".") || strings.Contains(r.from.host, ":") {
		return regexp.MustCompile(`(?i)(^|[^A-Za-z0-9._-])` + host + `($|[^A-Za-z0-9._-])`).MatchString(value)
	}
	return regexp.MustCompile(`(?i)(["=@(,]|//)` + host + `(["):;,/ ]|$)`).MatchString(value)
}
