// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"net"
	"regexp"
	"strconv"
	"strings"
)

// hostPort is a host of credentials, with its port, 0 where it is not known.
type hostPort struct {
	host string
	port int
}

func (h hostPort) String() string {
	if h.port == 0 {
		return h.host
	}
	return net.JoinHostPort(h.host, strconv.Itoa(h.port))
}

// splitHostPort splits host:port, [v6]:port, or a host alone. It returns false where the port is no port.
func splitHostPort(text string) (h hostPort, ok bool) {
	if strings.Count(text, ":") == 0 || strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") || net.ParseIP(text) != nil {
		h.host = strings.Trim(text, "[]")
		return h, h.host != ""
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" {
		return h, false
	}
	number, err := strconv.ParseUint(port, 10, 16)
	return hostPort{host, int(number)}, err == nil && number > 0
}

// uri is a URI of credentials. It is not parsed by net/url: that refuses several hosts, and passwords that are not escaped, and escapes the rest a
// second time.
type uri struct {
	scheme string
	hosts  []hostPort
	// before and after are the text around the hosts.
	before, after string
}

// schemes matches the scheme of a URI, also with prefixes such as jdbc: in jdbc:mysql://.
var schemes = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9+.-]*:)*([A-Za-z][A-Za-z0-9+.-]*):@?//`)

// parseURI parses a URI with an authority. It returns false for any other text.
func parseURI(text string) (u uri, ok bool) {
	match := schemes.FindStringSubmatchIndex(text)
	if match == nil {
		return u, false
	}
	start := match[1]
	end := len(text)
	if i := strings.IndexAny(text[start:], "/?#"); i >= 0 {
		end = start + i
	}
	if i := strings.LastIndex(text[start:end], "@"); i >= 0 {
		start += i + 1
	}
	if i := strings.Index(text[start:end], ";"); i >= 0 { // of SQL Server, where parameters follow
		end = start + i
	}
	u = uri{scheme: strings.ToLower(text[match[2]:match[3]]), before: text[:start], after: text[end:]}
	for host := range strings.SplitSeq(text[start:end], ",") {
		h, ok := splitHostPort(host)
		if !ok {
			return u, false
		}
		u.hosts = append(u.hosts, h)
	}
	return u, true
}

// defaultPorts are the ports of URIs without a port.
var defaultPorts = map[string]int{
	"mysql": 3306, "mysql2": 3306, "mariadb": 3306, "postgres": 5432, "postgresql": 5432, "redis": 6379, "rediss": 6379, "mongodb": 27017, "amqp": 5672,
	"amqps": 5671, "http": 80, "https": 443, "nats": 4222, "sqlserver": 1433, "ldap": 389, "ldaps": 636, "memcached": 11211, "cassandra": 9042, "mqtt": 1883,
	"mqtts": 8883, "clickhouse": 9000, "neo4j": 7687, "bolt": 7687,
}

// endpoints are the hosts of a URI, with the default port of its scheme where there is one.
func (u *uri) endpoints() []hostPort {
	all := make([]hostPort, 0, len(u.hosts))
	for _, h := range u.hosts {
		if h.port == 0 {
			h.port = defaultPorts[u.scheme]
		}
		all = append(all, h)
	}
	return all
}
