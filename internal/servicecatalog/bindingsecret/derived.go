// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"encoding/json"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// The keys of the Service Binding specification (servicebinding.io) that name the service of a Secret.
const (
	typeKey     = "type"
	providerKey = "provider"
)

// Service is the service that a binding is to, by the names that users know. A name is empty where it is not known.
type Service struct {
	Class, Broker string
}

// names returns the values of type and provider of a binding to the service.
func (s Service) names(b *v1beta1.ServiceBinding) map[string]string {
	return map[string]string{typeKey: catalog.ServiceType(b, s.Class), providerKey: catalog.ServiceProvider(b, s.Broker)}
}

// wellKnown is a key whose meaning the Service Binding specification sets.
type wellKnown struct {
	key string
	// names are the brokers' names for the same value, as PlainKey returns them, the most usual one first.
	names []string
	// fits reports whether a value meets the requirements of the specification.
	fits func(value string) bool
}

// wellKnownKeys are derived from keys of the broker. The names are few: the value of a key such as "server" or "endpoint" differs from broker to
// broker. The specification's certificates and private-key are absent, since no name of brokers means exactly that.
var wellKnownKeys = []wellKnown{
	{"host", []string{"host", "hostname", "dbhost", "dbhostname"}, isHost},
	{"port", []string{"port", "portnumber", "dbport"}, isPort},
	{"uri", []string{"uri", "url", "connectionstring", "connectionuri", "connectionurl", "databaseuri", "databaseurl", "dburi", "dburl", "jdbcuri", "jdbcurl"}, isURI},
	{"username", []string{"username", "user", "login", "dbusername", "dbuser"}, isText},
	{"password", []string{"password", "pass", "passwd", "pwd", "dbpassword"}, isText},
}

// derivedKeys are all keys that may be derived, the most important one first.
var derivedKeys = func() []string {
	keys := []string{typeKey, providerKey}
	for _, known := range wellKnownKeys {
		keys = append(keys, known.key)
	}
	return keys
}()

// PlainKey returns a key without upper case and separators: DB_HOST is dbhost, jdbcUrl is jdbcurl.
func PlainKey(key string) string { return separators.Replace(strings.ToLower(key)) }

var separators = strings.NewReplacer("_", "", "-", "", ".", "")

// derive returns the keys of the specification that the credentials do not have and no transform has removed.
func (r *rendering) derive(service Service) map[string][]byte {
	derived := map[string][]byte{}
	set := func(key, value string) {
		if _, has := r.values[key]; !has && !r.removed[key] && value != "" {
			derived[key] = []byte(value)
		}
	}
	for key, value := range service.names(r.binding) {
		set(key, value)
	}
	keys := map[string][]string{} // by their plain names
	for _, key := range slices.Sorted(maps.Keys(r.values)) {
		plain := PlainKey(key)
		keys[plain] = append(keys[plain], key)
	}
	for _, known := range wellKnownKeys {
		set(known.key, r.find(known, keys))
	}
	return derived
}

// find returns the first value that fits a well-known key. Of keys that differ in case and separators only, the first by sorting counts.
func (r *rendering) find(known wellKnown, keys map[string][]string) string {
	for _, name := range known.names {
		for _, key := range keys[name] {
			if value := textOf(r.values[key]); known.fits(value) {
				return value
			}
		}
	}
	return ""
}

// textOf returns a string or a number; empty: it is another value, or bytes that are no text.
func textOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	case []byte:
		if utf8.Valid(value) {
			return string(value)
		}
	}
	return ""
}

func isText(value string) bool { return value != "" && utf8.ValidString(value) }

// isHost reports whether a value is an IP address, or a host name that can be resolved.
func isHost(value string) bool {
	name := strings.ToLower(value)
	return net.ParseIP(value) != nil || len(validation.IsDNS1123Subdomain(name)) == 0 && strings.ContainsAny(name, "abcdefghijklmnopqrstuvwxyz")
}

func isPort(value string) bool {
	port, err := strconv.ParseUint(value, 10, 16)
	return err == nil && port > 0
}

// isURI reports whether a value is a URI of RFC 3986 that names a host. A connection string of JDBC, as in jdbc:mysql://db/app, is formally
// one, but no URI of the service: its scheme is followed by another URI.
func isURI(value string) bool { return uriSyntax.MatchString(value) }

// uriSyntax has the rules of RFC 3986 for scheme, userinfo, host, port, path, query and fragment, in this order.
var uriSyntax = func() *regexp.Regexp {
	const name, escaped = `A-Za-z0-9._~!$&'()*+,;=-`, `%[0-9A-Fa-f]{2}`
	chars := func(more string) string { return `(?:[` + more + name + `]|` + escaped + `)` }
	return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://` +
		`(?:` + chars(":") + `*@)?` +
		`(?:\[[0-9A-Fa-f:.]+\]|` + chars("") + `+)` +
		`(?::[0-9]*)?` +
		`(?:/` + chars(":@/") + `*)?` +
		`(?:\?` + chars(":@/?") + `*)?` +
		`(?:#` + chars(":@/?") + `*)?$`)
}()

// Content has the data that a binding writes into its Secret.
type Content struct {
	// Data are the credentials of the broker, after the transforms.
	Data map[string][]byte
	// Derived are the keys of the Service Binding specification beside them. They never keep the credentials from being written.
	Derived map[string][]byte
}

// Beside returns the data to write into a Secret of the binding, which may have keys of others. A derived key is left out where another owner has
// the key, or where there is no room. secret is nil where the Secret does not exist.
func (c Content) Beside(secret *corev1.Secret) map[string][]byte {
	others := c.keysOfOthers(secret)
	data := maps.Clone(c.Data)
	if data == nil {
		data = map[string][]byte{}
	}
	room, record := corev1.MaxSecretSize-SizeOf(others)-SizeOf(data), RecordSize(data)
	for _, key := range derivedKeys {
		value, ok := c.Derived[key]
		if _, theirs := others[key]; !ok || theirs || len(value) > room || record+len(key)+1 > MaxRecord {
			continue
		}
		data[key] = value
		room, record = room-len(value), record+len(key)+1
	}
	return data
}

// keysOfOthers returns the keys that stay in a Secret beside the content. Without a record the owner of a key is not known; then a derived key
// replaces it, so that no former password stays under a key of the specification.
func (c Content) keysOfOthers(secret *corev1.Secret) map[string][]byte {
	if secret == nil {
		return nil
	}
	own, recorded := parseRecord(secret.Annotations[v1beta1.CredentialsAnnotation])
	others := maps.Clone(secret.Data)
	for _, key := range own.keys {
		delete(others, key)
	}
	for key := range c.Data {
		delete(others, key)
	}
	if !recorded {
		for key := range c.Derived {
			delete(others, key)
		}
	}
	return others
}
