// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"net/url"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

var specPath = field.NewPath("spec")

// address is an address of a broker, or of its token endpoint.
type address struct {
	token bool // it is the token endpoint
	value string
}

// addressesOf returns the addresses of a broker and of its token endpoint.
func addressesOf(spec *v1beta1.CommonServiceBrokerSpec) []address {
	addresses := []address{{value: spec.URL}}
	if auth := spec.AuthInfo; auth != nil && auth.Basic == nil && auth.Bearer == nil && auth.OAuth2 != nil {
		addresses = append(addresses, address{token: true, value: auth.OAuth2.TokenURL})
	}
	return addresses
}

func (a address) path() *field.Path {
	if a.token {
		return specPath.Child("authInfo", "oauth2", "tokenURL")
	}
	return specPath.Child("url")
}

// parse parses an address. Its error repeats the address without credentials.
func (a address) parse() (*url.URL, *field.Error) {
	u, err := url.Parse(a.value)
	if err != nil {
		return nil, field.Invalid(a.path(), field.OmitValueType{}, "must be an http or https URL, as https://broker.example.com")
	}
	shown := u.Scheme + "://" + u.Host + u.EscapedPath()
	switch {
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return nil, field.Invalid(a.path(), shown, "must be an absolute http or https URL, as https://broker.example.com")
	case u.User != nil:
		return nil, field.Invalid(a.path(), shown, "must have no user name and no password: every user who can read the broker could read them; put them into a Secret that authInfo names")
	case u.Fragment != "", !a.token && (u.RawQuery != "" || u.ForceQuery):
		return nil, field.Invalid(a.path(), shown, `must end with its path: "/v2/…" is appended to it`)
	}
	return u, nil
}

// checkAddresses refuses new addresses that cannot be used, that the operator would not dial, or that the policy forbids. A name is
// checked by its addresses when it is dialed.
func (v brokerValidator[B]) checkAddresses(f *findings, old *v1beta1.CommonServiceBrokerSpec, b B) {
	strict := v.options.BrokerPolicy == BrokerPolicyStrict && catalog.ScopeOf(b) == catalog.Namespaced
	risk := func(fresh bool, path *field.Path, text string) {
		if strict && fresh {
			f.refuse(field.Forbidden(path, text+"; the operator's --broker-policy=strict does not permit that to a ServiceBroker"))
		} else {
			f.warn("%s: %s", path, text)
		}
	}
	spec := b.Common()
	for _, a := range addressesOf(spec) {
		fresh := !slices.Contains(addressesOf(old), a)
		u, err := a.parse()
		if err != nil {
			if fresh {
				f.refuse(err)
			}
			continue
		}
		ip, isLiteral := outbound.Literal(u.Hostname())
		if err := v.options.Guard.CheckHost(u.Hostname()); err != nil && fresh {
			f.refuse(field.Invalid(a.path(), u.Hostname(), err.Error()))
		}
		if u.Scheme == "http" && !ip.IsLoopback() {
			risk(fresh, a.path(), "the connection is not encrypted: a program on the network path can read and change everything, credentials included")
		}
		if !isLiteral && outbound.IsServiceName(u.Hostname()) {
			risk(fresh, a.path(), "the address is in the cluster: requests to it come from the operator and may bypass rules that block other clients")
		}
	}
	if spec.InsecureSkipTLSVerify {
		risk(!old.InsecureSkipTLSVerify, specPath.Child("insecureSkipTLSVerify"), "credentials and parameters are sent to any server that answers")
	}
}
