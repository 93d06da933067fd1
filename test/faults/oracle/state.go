// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/snapshot"
)

// emptyState is the state of an environment without objects; it differs from the empty string, which stands for an unknown state.
const emptyState = "nothing is left"

// State returns objects, broker and receivers as text, without what differs from run to run.
func (c Checker) State() string {
	all, err := c.Objects()
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, o := range all {
		if o.GetName() != brokers.DigestKeySecret { // the operator's own, which one version makes and another does not
			lines = append(lines, snapshot.Describe(o, c.Uncompared...))
		}
	}
	if c.Broker != nil {
		holds := c.Broker.Holds()
		for _, i := range holds.Instances {
			lines = append(lines, fmt.Sprintf("broker has instance of %s/%s %s %s", i.ServiceID, i.PlanID, i.State, dropEmpty(i.Parameters)))
		}
		for _, b := range holds.Bindings {
			lines = append(lines, fmt.Sprintf("broker has binding of %s/%s %s %s", b.ServiceID, b.PlanID, b.State, dropEmpty(b.Parameters)))
		}
	}
	slices.Sort(lines)
	return cmp.Or(proxy.StripRunName(strings.Join(append(lines, c.receivedMessages()...), "\n")), emptyState)
}

// dropEmpty returns nil for empty parameters, which the operator sends to undo an update whose outcome is unknown.
func dropEmpty(parameters json.RawMessage) json.RawMessage {
	if string(parameters) == "{}" {
		return nil
	}
	return parameters
}

// receivedMessages returns the messages that receivers have, with the number of keys. Without keys a receiver may get a message twice,
// which is not part of the state.
func (c Checker) receivedMessages() []string {
	var all []string
	for name, p := range c.Receivers {
		for text, n := range p.Received() {
			if p.Inbox == nil {
				n = 1
			}
			all = append(all, fmt.Sprintf("%s %s (under %d keys)", name, text, n))
		}
		if p.Inbox != nil { // an old message may have come after a later one
			all = append(all, fmt.Sprintf("%s %s%q", name, firingText, firing(p.Inbox.Messages())))
		}
	}
	slices.Sort(all)
	return all
}
