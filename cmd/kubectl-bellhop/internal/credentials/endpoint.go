// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/forward"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
)

// uriKeys are the keys of the URI that programs use, by which a service is chosen if it has more than one, as for its web pages.
var uriKeys = []string{"uri", "url", "jdbcurl", "jdbcuri", "connectionstring", "connectionurl", "databaseurl", "databaseuri", "dsn"}

// hostSuffix is the suffix by which the plain form of a key is the key of a host, empty where it is another key.
func hostSuffix(key string) string {
	for _, suffix := range []string{"hostname", "host"} {
		if strings.HasSuffix(bindingsecret.PlainKey(key), suffix) {
			return suffix
		}
	}
	return ""
}

// isPortKey reports whether a key is of a port.
func isPortKey(key string) bool { return strings.HasSuffix(bindingsecret.PlainKey(key), "port") }

// endpointOf finds the host and the port in credentials. Of several the keys host, hostname and uri are preferred; else the user has to choose.
func endpointOf(data map[string][]byte, namespace string) (hostPort, error) {
	keys := slices.Sorted(maps.Keys(data))
	var exact, others, preferred, uris []hostPort
	for _, key := range keys {
		value := strings.TrimSpace(string(data[key]))
		if suffix := hostSuffix(key); suffix != "" {
			for host := range strings.SplitSeq(value, ",") {
				h, ok := splitHostPort(strings.TrimSpace(host))
				switch {
				case !ok:
				case bindingsecret.PlainKey(key) == suffix:
					exact = append(exact, withPort(h, data, key))
				default:
					others = append(others, withPort(h, data, key))
				}
			}
		} else if u, ok := parseURI(value); ok {
			if slices.Contains(uriKeys, bindingsecret.PlainKey(key)) {
				preferred = append(preferred, u.endpoints()...)
			} else {
				uris = append(uris, u.endpoints()...)
			}
		}
	}
	for _, found := range [][]hostPort{exact, preferred, others, uris} {
		found = withoutDuplicates(withKnownPorts(found, slices.Concat(preferred, uris), namespace), namespace)
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return hostPort{}, errAmbiguous(found)
		}
	}
	return hostPort{}, cli.WithHint(fmt.Errorf("the credentials have neither a host nor a URI: their %s %s", plural("key", len(keys)), verbed(keys)),
		"--endpoint=HOST:PORT names what to connect to")
}

func verbed(keys []string) string {
	if len(keys) == 1 {
		return "is " + quotedList(keys)
	}
	return "are " + quotedList(keys)
}

func errAmbiguous(found []hostPort) error {
	var texts []string
	for _, h := range found {
		texts = append(texts, h.String())
	}
	return cli.WithHint(fmt.Errorf("the credentials have %d hosts, and connect forwards to one: %s", len(found), strings.Join(texts, ", ")),
		"choose one, for example --endpoint=%s", texts[0])
}

// withPort adds the port of the key that goes with the key of a host, as db-port with db-host.
func withPort(h hostPort, data map[string][]byte, hostKey string) hostPort {
	if h.port != 0 {
		return h
	}
	want := strings.TrimSuffix(bindingsecret.PlainKey(hostKey), hostSuffix(hostKey)) + "port"
	for key, value := range data {
		if port, err := strconv.ParseUint(strings.TrimSpace(string(value)), 10, 16); err == nil && bindingsecret.PlainKey(key) == want {
			h.port = int(port)
		}
	}
	return h
}

// withKnownPorts adds ports that URIs have for the same host.
func withKnownPorts(found, uris []hostPort, namespace string) []hostPort {
	found = slices.Clone(found)
	for i, h := range found {
		for _, u := range uris {
			if h.port == 0 && forward.IsSameHost(u.host, h.host, namespace) {
				found[i].port = u.port
				break
			}
		}
	}
	return found
}

func withoutDuplicates(found []hostPort, namespace string) (unique []hostPort) {
	for _, h := range found {
		if !slices.ContainsFunc(unique, func(other hostPort) bool {
			return h.port == other.port && forward.IsSameHost(h.host, other.host, namespace)
		}) {
			unique = append(unique, h)
		}
	}
	return unique
}
