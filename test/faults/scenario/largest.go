// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// largest makes values of which each text, list and map is at its bound.
type largest struct {
	// beyond is a place, such as spec.links[].href, whose bound is exceeded by one; "": none.
	beyond string
	// round selects one of properties that exclude each other.
	round int
	// exceeded: a text without a bound of its own exceeds that of the spec. The API server refuses several.
	exceeded bool
	// places are all that can be beyond.
	places []string
	// made counts the texts, so that no two are equal.
	made int
}

// otherLength is the length of a text without a bound of its own.
const otherLength = 64

// value returns a value for a schema; nil: it is left out.
func (l *largest) value(s *schema, place string) any {
	switch {
	case s.generate != nil:
		return s.generate(nil)
	case s.Format == "byte":
		length := (l.length(s, place) + 3) / 4 * 3 // a text in base64 has four letters for three bytes
		return base64.StdEncoding.EncodeToString([]byte(fill(certificate(), length)))
	case s.Format == "date-time":
		return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Format(time.RFC3339)
	case len(s.Enum) > 0:
		return s.Enum[len(s.Enum)-1]
	}
	switch s.Type {
	case "object":
		return l.object(s.alternative(l.round), place)
	case "array":
		list := []any{}
		for i := range l.count(s.MaxItems, place+"[]*") {
			list = append(list, l.value(s.Items.alternative(l.round+i), place+"[]"))
		}
		return list
	case "integer", "number":
		_, high := s.bounds()
		return high
	case "boolean":
		return true
	}
	return l.text(place, l.length(s, place))
}

// object returns an object with all properties.
func (l *largest) object(s *schema, place string) any {
	o := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if v := l.value(s.Properties[name], place+"."+name); v != nil {
			o[name] = v
		}
	}
	if values := s.values(); values != nil {
		for range l.count(s.MaxProperties, place+"{}*") {
			o[l.text(place+"{key}", otherLength-1)] = l.value(values, place+"{}")
		}
	}
	return o
}

// length returns the length of the text at a place. The whole spec bounds a text that has no bound of its own.
func (l *largest) length(s *schema, place string) int {
	l.addPlace(place)
	switch {
	case s.MaxLength == nil && place == l.beyond && !l.exceeded:
		l.exceeded = true
		return maxSpec
	case s.MaxLength == nil:
		return otherLength
	case place == l.beyond:
		return *s.MaxLength + 1
	}
	return *s.MaxLength
}

// count returns how many elements a list or a map has.
func (l *largest) count(bound *int, place string) int {
	if bound == nil {
		return 1 // its texts, which are not bounded either, exceed the bound of the spec
	}
	l.addPlace(place)
	if place == l.beyond {
		return *bound + 1
	}
	return *bound
}

func (l *largest) addPlace(place string) {
	if !slices.Contains(l.places, place) {
		l.places = append(l.places, place)
	}
}

// certificate is for fields with certificates; other fields take any bytes.
var certificate = sync.OnceValue(func() string {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
})

// text returns a text of a length, which differs from all others if it is long enough.
func (l *largest) text(place string, length int) string {
	l.made++
	for _, shape := range shapes {
		if shape.place.MatchString(place) {
			if shape.longest > 0 && place != l.beyond {
				length = min(length, shape.longest)
			}
			return shape.text(length, l.made)
		}
	}
	number := strconv.Itoa(l.made)
	return strings.Repeat("a", max(0, length-len(number))) + number[:min(length, len(number))]
}

// shapes are the texts at places with other rules than a length. number differs from text to text. longest is the length of the longest text that
// admission accepts, where that is less than the bound of the schema.
var shapes = []struct {
	place   *regexp.Regexp
	longest int
	text    func(length, number int) string
}{
	{regexp.MustCompile(`\.ntfy\.url$`), len("https://") + maxHost, func(n, _ int) string { return "https://" + hostName(n-len("https://")) }},
	{regexp.MustCompile(`(\.url|URL|\.href|\.urls\[\])$`), 0, func(n, i int) string { return fill(fmt.Sprintf("https://%d.example/", i), n) }},
	{regexp.MustCompile(`\.email\.(to\[\]|from)$|\.pushbullet\.email$`), 64 + len("@") + maxHost, func(n, i int) string {
		return fill(fmt.Sprintf("a%d", i), 64) + "@" + hostName(n-64-len("@"))
	}},
	{regexp.MustCompile(`\.(grpc\.address|email\.host)$`), maxHost + len(":443"), func(n, _ int) string { return hostName(n-len(":443")) + ":443" }},
	{regexp.MustCompile(`\.(hello|serverName)$`), 0, func(n, _ int) string { return hostName(n) }},
	{regexp.MustCompile(`\.slack\.mentions\[\]$`), 0, func(n, i int) string { return fmt.Sprintf("U%0*d", n-1, i) }},
	{regexp.MustCompile(`\.discord\.mentions\[\]$`), 21, func(n, i int) string { return fmt.Sprintf("&%0*d", n-1, i) }},
	{regexp.MustCompile(`\.discord\.threadID$`), 0, func(n, i int) string { return fmt.Sprintf("%0*d", n, i) }},
	{regexp.MustCompile(`\.chatID$`), 0, func(n, _ int) string { return fill("@", n) }},
	{regexp.MustCompile(`\.roomID$`), 255, func(n, _ int) string { return fill("!", n) }},
	{regexp.MustCompile(`\.slack\.channel$`), 0, func(n, _ int) string { return "C" + strings.Repeat("7", n-1) }},
	{regexp.MustCompile(`\.iconEmoji$`), 0, func(n, _ int) string { return ":" + fill("", n-2) + ":" }},
	{regexp.MustCompile(`\.service(Class|Plan)\[\]$`), 0, func(n, _ int) string { return fill("spec.externalName==", n) }},
}

// maxHost is the length of the longest name of a host.
const maxHost = 253

// fill appends letters up to a length.
func fill(text string, length int) string {
	return text + strings.Repeat("a", max(0, length-len(text)))
}

// hostName returns the name of a host: labels of fewer than 63 letters.
func hostName(length int) string {
	name := []byte(strings.Repeat("a", length))
	for i := 60; i < length-1; i += 60 {
		name[i] = '.'
	}
	return string(name)
}

// values returns the schema of the values of a map; nil: it is none.
func (s *schema) values() *schema {
	if _, ok := s.Additional.(map[string]any); !ok {
		return nil
	}
	text, err := json.Marshal(s.Additional)
	if err != nil {
		panic(err) // it was decoded from JSON
	}
	return parseSchema(string(text))
}

// oneOf matches the rules of a CRD by which exactly one, or at most one, of some properties is present.
var oneOf = regexp.MustCompile(`^\s*(\[(has\(self\.\w+\)[,\s]*)+\]\.filter|\[(self\.\?\w+\.orValue\(''\)[,\s]*)+\]\.exists_one|(\(has\(self\.\w+\)\?1:0\)\+?)+ (==|<=) 1$)`)

var presence = regexp.MustCompile(`self\.\??(\w+)`)

// alternatives returns the properties that exclude each other.
func (s *schema) alternatives() (names []string) {
	for _, v := range s.Validations {
		for _, has := range presence.FindAllStringSubmatch(oneOf.FindString(v.Rule), -1) {
			names = append(names, has[1])
		}
	}
	return names
}

// alternative returns the schema with only the i-th of its alternatives, counted round.
func (s *schema) alternative(i int) *schema {
	all := s.alternatives()
	if len(all) == 0 {
		return s
	}
	one := *s
	one.Validations, one.Properties = nil, maps.Clone(s.Properties)
	for j, name := range all {
		if j != i%len(all) {
			delete(one.Properties, name)
			delete(one.Properties, strings.Replace(name, "erviceClass", "ervicePlan", 1)) // the plan of a class that is named in the same way
		}
	}
	return &one
}

// rounds returns how many values have each of the properties that exclude each other, at all depths.
func (s *schema) rounds() int {
	n := max(1, len(s.alternatives()))
	for _, p := range s.Properties {
		n = max(n, p.rounds())
	}
	return n
}
