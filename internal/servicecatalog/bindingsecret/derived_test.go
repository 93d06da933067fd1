// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"encoding/json"
	"maps"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

var mysql = Service{Class: "azure-mysql", Broker: "main"}

// withNames adds what the service gives to each Secret.
func withNames(pairs ...string) map[string]string {
	all := map[string]string{"type": "azure-mysql", "provider": "main"}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

func textsOf(data map[string][]byte) map[string]string {
	texts := map[string]string{}
	for key, value := range data {
		texts[key] = string(value)
	}
	return texts
}

// checkEntries checks what the Service Binding specification (v1.1, "Well-known Secret Entries" and "Workload Projection") requires of the
// entries that are derived, in words of its own.
func checkEntries(t *testing.T, content Content) {
	t.Helper()
	data := content.Beside(nil)
	for key := range data {
		if key == "" || len(key) > 253 || strings.ContainsAny(key, "/\x00") || key == "." || key == ".." {
			t.Errorf("%q cannot be the name of a file", key)
		}
	}
	for key, value := range content.Derived {
		text := string(value)
		if !regexp.MustCompile(`^[a-z0-9.-]{1,253}$`).MatchString(key) {
			t.Errorf("the name of entry %q is not one of the specification", key)
		}
		if _, has := content.Data[key]; has {
			t.Errorf("entry %q of the broker is replaced", key)
		}
		switch key {
		case "host":
			if net.ParseIP(text) == nil && (len(text) > 253 || strings.ContainsAny(text, " :/,@")) {
				t.Errorf("host %q cannot be resolved", text)
			}
		case "port":
			if port, err := strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
				t.Errorf("port %q is no port", text)
			}
		case "uri":
			if u, err := url.Parse(text); err != nil || u.Scheme == "" || u.Host == "" {
				t.Errorf("uri %q is no URI: %v", text, err)
			}
		case "type", "provider", "username", "password":
			if text == "" || !utf8.ValidString(text) {
				t.Errorf("%s is %q", key, text)
			}
		default:
			t.Errorf("entry %q is derived, and the specification does not have it", key)
		}
	}
}

// TestServiceBindingSpecification has the core rules of servicebinding.io: a Secret is a directory of files, with the entry type, and with
// well-known entries that mean what the specification says.
func TestServiceBindingSpecification(t *testing.T) {
	for name, c := range map[string]struct {
		credentials string
		want        map[string]string // what is derived
	}{
		"no credentials":               {`{}`, withNames()},
		"the names of the broker":      {`{"type":"mysql","provider":"them"}`, map[string]string{}},
		"other letters":                {`{"Type":"mysql","PROVIDER":"them"}`, withNames()},
		"all that there is":            {`{"type":"a","provider":"b","host":"db","port":1,"uri":"mysql://db","username":"u","password":"p"}`, map[string]string{}},
		"as Cloud Foundry's MySQL":     {`{"hostname":"db.example.com","port":3306,"name":"app","username":"u","password":"p","uri":"mysql://u:p@db.example.com:3306/app","jdbcUrl":"jdbc:mysql://db.example.com/app"}`, withNames("host", "db.example.com")},
		"in capitals":                  {`{"DB_HOST":"10.0.0.1","DB_PORT":"5432","DB_USER":"u","DB_PASSWORD":"p","DATABASE_URL":"postgres://u:p@10.0.0.1:5432/app"}`, withNames("host", "10.0.0.1", "port", "5432", "username", "u", "password", "p", "uri", "postgres://u:p@10.0.0.1:5432/app")},
		"camel case":                   {`{"hostName":"db","userName":"u","connectionString":"amqps://u:p@mq:5671/v%2F1?a=b#c"}`, withNames("host", "db", "username", "u", "uri", "amqps://u:p@mq:5671/v%2F1?a=b#c")},
		"the most usual name":          {`{"login":"l","user":"u","pwd":"w","pass":"p","dburl":"mysql://b","url":"mysql://a"}`, withNames("username", "u", "password", "p", "uri", "mysql://a")},
		"of equal names, by sorting":   {`{"USER":"A","User":"B","user_":"C"}`, withNames("username", "A")},
		"the next one, where it fits":  {`{"hostname":"db:3306","dbhost":"db","port_number":"none","dbport":3306}`, withNames("host", "db", "port", "3306")},
		"IPv6":                         {`{"hostname":"fd00::1","url":"redis://:p@[fd00::1]:6379"}`, withNames("host", "fd00::1", "uri", "redis://:p@[fd00::1]:6379")},
		"no host":                      {`{"hostname":"a.example.com,b.example.com"}`, withNames()},
		"a number is no host":          {`{"hostname":17}`, withNames()},
		"a host with a path":           {`{"hostname":"db/app"}`, withNames()},
		"not as text":                  {`{"user":{"name":"u"},"pass":true,"hostname":["db"],"dbport":null}`, withNames()},
		"empty":                        {`{"user":"","pass":"","hostname":"","dbport":"","url":""}`, withNames()},
		"ports that are none":          {`{"PORT":0,"dbport":65536,"portnumber":"3306/tcp"}`, withNames()},
		"a port with a fraction":       {`{"dbport":3306.0}`, withNames("port", "3306")},
		"JDBC":                         {`{"jdbcUrl":"jdbc:mysql://db:3306/app"}`, withNames()},
		"several servers":              {`{"url":"mongodb://u:p@a:27017,b:27017/app"}`, withNames()},
		"a path alone":                 {`{"url":"/app"}`, withNames()},
		"words":                        {`{"connection_string":"Server=db;User Id=u;Password=p"}`, withNames()},
		"a blank":                      {`{"url":"mysql://u:p w@db/app"}`, withNames()},
		"an escape that is none":       {`{"url":"mysql://u:p%zz@db/app"}`, withNames()},
		"a password that is a number":  {`{"pass":12345}`, withNames("password", "12345")},
		"others' names of the service": {`{"endpoint":"db:1","server":"db","id":"u","secret":"p"}`, withNames()},
	} {
		content, err := Render(json.RawMessage(c.credentials), bindingWith(), mysql, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := textsOf(content.Derived); !maps.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		checkEntries(t, content)
		if _, has := content.Beside(nil)["type"]; !has {
			t.Errorf("%s: there is no type", name)
		}
		b := bindingWith()
		for what, name := range map[string]string{"binding": b.Name, "Secret": catalog.SecretName(b)} {
			if !regexp.MustCompile(`^[a-z0-9.-]{1,253}$`).MatchString(name) {
				t.Errorf("the name %q of a %s cannot be that of a directory", name, what)
			}
		}
	}
}

// A name of a ServiceBinding or a Secret is a DNS subdomain, which the specification allows as the name of a directory.
func TestNamesOfDirectories(t *testing.T) {
	directory := regexp.MustCompile(`^[a-z0-9\-.]{1,253}$`)
	for _, name := range []string{"a", "orders-db", "a.b-c.d", strings.Repeat("x", 253), strings.Repeat("x", 254), "", "A", "a_b", "a/b", "..", "-a"} {
		if len(validation.IsDNS1123Subdomain(name)) == 0 && !directory.MatchString(name) {
			t.Errorf("%q can be the name of an object, and cannot be that of a directory", name)
		}
	}
}

func TestTransformsComeBeforeWhatIsDerived(t *testing.T) {
	others := map[string]map[string][]byte{"other": {"pass": []byte("theirs"), "dbhost": {0xff}}}
	text := func(key, value string) v1beta1.SecretTransform {
		return add(key, v1beta1.AddKeyTransform{StringValue: &value})
	}
	for name, c := range map[string]struct {
		credentials string
		transforms  []v1beta1.SecretTransform
		want        map[string]string
	}{
		"what is removed is not added":          {`{"host":"a","hostname":"b"}`, []v1beta1.SecretTransform{remove("host")}, withNames()},
		"also where it was not there":           {`{"user":"u"}`, []v1beta1.SecretTransform{remove("username"), remove("type")}, map[string]string{"provider": "main"}},
		"nor what is renamed":                   {`{"username":"u"}`, []v1beta1.SecretTransform{rename("username", "DB_USER")}, withNames()},
		"nothing was there to rename":           {`{"user":"u"}`, []v1beta1.SecretTransform{rename("username", "DB_USER")}, withNames("username", "u")},
		"no value comes from a removed key":     {`{"user":"u"}`, []v1beta1.SecretTransform{remove("user")}, withNames()},
		"what is added wins":                    {`{"user":"u"}`, []v1beta1.SecretTransform{text("username", "me"), text("type", "mine")}, map[string]string{"provider": "main"}},
		"what is renamed wins":                  {`{"user":"u","login":"l"}`, []v1beta1.SecretTransform{rename("login", "username")}, withNames()},
		"what is removed, and added":            {`{"type":"a"}`, []v1beta1.SecretTransform{remove("type"), text("type", "b")}, map[string]string{"provider": "main"}},
		"what is added is a source too":         {`{}`, []v1beta1.SecretTransform{text("DB_USER", "u"), path("url", "mysql://{.DB_USER}@db")}, withNames("username", "u", "uri", "mysql://u@db")},
		"what is copied is a source, as a text": {`{}`, []v1beta1.SecretTransform{copyOf("", "other")}, withNames("password", "theirs")},
	} {
		content, err := Render(json.RawMessage(c.credentials), bindingWith(c.transforms...), mysql, others)
		if got := textsOf(content.Derived); err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}

func TestAnnotationsNameTheService(t *testing.T) {
	b := bindingWith()
	b.Annotations = map[string]string{v1beta1.BindingTypeAnnotation: "mysql", v1beta1.BindingProviderAnnotation: "azure"}
	for credentials, want := range map[string]map[string]string{
		`{}`:                {"type": "mysql", "provider": "azure"},
		`{"type":"theirs"}`: {"provider": "azure"},
	} {
		content, err := Render(json.RawMessage(credentials), b, mysql, nil)
		if got := textsOf(content.Derived); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", credentials, got, err, want)
		}
	}
	if content, err := Render(nil, bindingWith(), Service{}, nil); err != nil || len(content.Derived) > 0 {
		t.Errorf("of a service without a name: %q, %v", content.Derived, err)
	}
}

func contentOf(credentials string) Content {
	content, err := Render(json.RawMessage(credentials), bindingWith(), mysql, nil)
	if err != nil {
		panic(err)
	}
	return content
}

func TestDerivedKeysBesideOthers(t *testing.T) {
	wide := func(size int) string { return `{"pass":"` + strings.Repeat("x", size) + `"}` }
	names := map[string][]byte{strings.Repeat("x", 55): nil}
	for i := range 2046 { // 4 bytes less than MaxRecord
		names[strings.Repeat("k", 59)+strconv.Itoa(1000+i)] = nil
	}
	for name, c := range map[string]struct {
		content Content
		edit    func(*corev1.Secret) // of a Secret with the record of "old"
		want    []string             // what is derived and written
	}{
		"a new one":                          {contentOf(`{"user":"u"}`), nil, []string{"type", "provider", "username"}},
		"one of an earlier version":          {contentOf(`{"user":"u"}`), func(*corev1.Secret) {}, []string{"type", "provider", "username"}},
		"another's key":                      {contentOf(`{"user":"u"}`), func(s *corev1.Secret) { s.Data["type"], s.Data["username"] = nil, []byte("me") }, []string{"provider"}},
		"a key of the Secret without record": {contentOf(`{"user":"u"}`), func(s *corev1.Secret) { s.Annotations, s.Data["username"] = nil, []byte("old") }, []string{"type", "provider", "username"}},
		"no room for a password twice":       {contentOf(wide(600 << 10)), nil, []string{"type", "provider"}},
		"no room at all":                     {contentOf(wide(corev1.MaxSecretSize)), nil, nil},
		"room for the last one only":         {contentOf(wide(corev1.MaxSecretSize - 4)), nil, []string{"provider"}},
		"others have the room":               {contentOf(`{"user":"u"}`), func(s *corev1.Secret) { s.Data["theirs"] = make([]byte, corev1.MaxSecretSize-12) }, []string{"type"}},
		"no room in the record":              {Content{Data: names, Derived: dataOf("type", "mysql")}, nil, nil},
	} {
		var secret *corev1.Secret
		if c.edit != nil {
			secret = NewSecret(bindingWith(), "id", dataOf("old", "o"))
			c.edit(secret)
		}
		data := c.content.Beside(secret)
		got := map[string]bool{}
		for key := range data {
			if _, broker := c.content.Data[key]; !broker {
				got[key] = true
			}
		}
		want := map[string]bool{}
		for _, key := range c.want {
			want[key] = true
		}
		if !maps.Equal(got, want) || len(data) != len(c.content.Data)+len(want) {
			t.Errorf("%s: %v are derived, want %v", name, got, want)
		}
		if size := len(RecordOf("id", data).String()); size > MaxRecord || size > RecordSize(data) || size < RecordSize(data)-1 {
			t.Errorf("%s: the record has %d bytes, and was estimated as %d", name, size, RecordSize(data))
		}
	}
}

// What is derived is of the binding: it is recorded, replaced by a rotation, and missed where a user removes it. A Secret that an earlier
// version has written is intact without it.
func TestDerivedKeysAreOurs(t *testing.T) {
	secret := NewSecret(bindingWith(), "id", contentOf(`{"user":"u","pass":"p"}`).Data)
	if !IsIntact(secret, "id") {
		t.Error("a Secret of an earlier version is taken for a modified one")
	}
	if !Merge(secret, "id", contentOf(`{"user":"u","pass":"p"}`).Beside(secret)) || Merge(secret, "id", contentOf(`{"user":"u","pass":"p"}`).Beside(secret)) {
		t.Error("what is derived is not written once")
	}
	keys, _ := Keys(secret)
	if want := "pass password provider type user username"; strings.Join(keys, " ") != want {
		t.Errorf("the record has %q, want %q", keys, want)
	}
	Merge(secret, "next", contentOf(`{"user":"v","login":"w"}`).Beside(secret))
	if want := withNames("user", "v", "login", "w", "username", "v"); !maps.Equal(textsOf(secret.Data), want) || !IsIntact(secret, "next") {
		t.Errorf("after a rotation: %q, want %q", secret.Data, want)
	}
	delete(secret.Data, "username")
	if IsIntact(secret, "next") {
		t.Error("nobody misses an alias")
	}
}

func TestTheNamesOfTheServiceAreNoSecrets(t *testing.T) {
	secret := NewSecret(bindingWith(), "id", contentOf(`{"user":"u"}`).Beside(nil))
	if got := strings.Join(ValuesIn(secret, bindingWith(), mysql), " "); got != "u u" {
		t.Errorf("secret are %s", got)
	}
	secret.Data["type"] = []byte("hunter2")
	if got := strings.Join(ValuesIn(secret, bindingWith(), mysql), " "); got != "hunter2 u u" {
		t.Errorf("with another type, secret are %s", got)
	}
}
