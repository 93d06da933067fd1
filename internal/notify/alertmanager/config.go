/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package alertmanager

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// maxReplicas bounds how many requests one message is.
const maxReplicas = 8

// Config says where alerts go and what they are labelled with.
type Config struct {
	// URLs are the base addresses of all replicas, 1 to 8, each with the path prefix that it may have; "/api/v2/…" is
	// appended. Not that of a load balancer before them: Alertmanager does not pass alerts on.
	URLs []string
	// Labels are added to those of every alert. They cannot replace alertname, namespace, severity and bellhop_incident.
	Labels map[string]string

	// Token is sent as a bearer token; Username and Password as Basic authentication. Only one of the two can be set.
	Token    string
	Username string
	Password string
}

// The labels that an alert is known by. The name is the Alert's and not one for all: with the usual rule, by which what is
// critical inhibits the warnings of the same name and namespace, one Alert would silence another.
const (
	labelName      = "alertname"
	labelNamespace = "namespace"
	labelSeverity  = "severity"
	labelIncident  = "bellhop_incident" // tells apart Alerts that had the same name, and receivers of one Alert
)

// classicName is what every version of Alertmanager takes for the name of a label.
var classicName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// New returns a sender, or a *notify.Error that names the field that is not right.
func New(config Config, client *outbound.Client) (*Sender, error) {
	s := &Sender{labels: map[string]string{}, client: client, now: time.Now}
	if len(config.URLs) == 0 || len(config.URLs) > maxReplicas {
		return nil, notify.Invalid("urls", fmt.Sprintf("must be 1 to %d addresses", maxReplicas))
	}
	for i, address := range config.URLs {
		field := fmt.Sprintf("urls[%d]", i)
		base, err := notify.ParseURL(field, address)
		if err != nil {
			return nil, err
		}
		if base.User != nil || base.RawQuery != "" || base.ForceQuery || base.Fragment != "" {
			return nil, notify.Invalid(field, "must have no user, query or fragment; the credential is in the Secret")
		}
		s.apis = append(s.apis, base.JoinPath("api", "v2"))
	}
	for _, name := range slices.Sorted(maps.Keys(config.Labels)) {
		switch {
		case !classicName.MatchString(name):
			return nil, notify.Invalid("labels", "the names must be of letters, digits and _, and not begin with a digit")
		case slices.Contains([]string{labelName, labelNamespace, labelSeverity, labelIncident}, name):
			return nil, notify.Invalid("labels", "the label "+name+" cannot be set: it is bellhop's own")
		}
		s.labels[name] = config.Labels[name]
	}
	var err error
	if s.authorization, err = authorization(strings.TrimSpace(config.Token), config.Username, config.Password); err != nil {
		return nil, err
	}
	return s, nil
}

// authorization returns the header of that name, "" for none.
func authorization(token, username, password string) (string, error) {
	switch {
	case token == "" && username+password == "":
		return "", nil
	case token != "" && username+password != "":
		return "", notify.Invalid("token, username", "only one of a token and a username with its password can be set")
	case token != "" && strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", notify.Invalid("token", "must have no blanks and no control characters")
	case token != "":
		return "Bearer " + token, nil
	case username == "" || strings.Contains(username, ":"):
		return "", notify.Invalid("username", "must not be empty or have a colon")
	}
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(username, password)
	return req.Header.Get("Authorization"), nil
}
