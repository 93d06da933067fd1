// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"errors"
	"fmt"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Policy decides on risky destinations of receivers: plain http, addresses in the cluster, certificates that are not verified.
type Policy string

const (
	// PolicyCompatible warns.
	PolicyCompatible Policy = "compatible"
	// PolicyStrict refuses them for Receivers, and warns for ClusterReceivers.
	PolicyStrict Policy = "strict"
)

// NotPermitted is the end of a message about a setting that PolicyStrict refuses.
const NotPermitted = "; the operator's --receiver-policy=strict does not permit that to a Receiver"

// Validate returns an error for an unknown policy.
func (p Policy) Validate() error {
	if p != PolicyCompatible && p != PolicyStrict {
		return fmt.Errorf("--receiver-policy is %q: it has to be %s or %s", p, PolicyCompatible, PolicyStrict)
	}
	return nil
}

// Risks returns the risks of a destination.
func Risks(host string, isPlain bool) (risks []string) {
	ip, isLiteral := outbound.Literal(host)
	if isPlain && !ip.IsLoopback() {
		risks = append(risks, "the connection is not encrypted: a program on the network path can read the messages and their credentials")
	}
	if !isLiteral && outbound.IsServiceName(host) {
		risks = append(risks, "the address is in the cluster: requests to it come from the operator and may bypass rules that block other clients")
	}
	return risks
}

// CheckSecret returns an error for a URL in a Receiver's Secret that the policy does not permit. Admission does not see it.
func (p Policy) CheckSecret(data map[string][]byte) error {
	if risks := RisksInSecret(notify.URLAddress("url", string(data["url"]))); p == PolicyStrict && len(risks) > 0 {
		return errors.New(risks[0] + NotPermitted)
	}
	return nil
}

// RisksInSecret returns the risks of the address in a receiver's Secret.
func RisksInSecret(addresses []notify.Address) (risks []string) {
	for _, a := range addresses {
		for _, risk := range Risks(a.Host, a.Plain) {
			risks = append(risks, "The Secret's key "+a.Field+": "+risk)
		}
	}
	return risks
}
