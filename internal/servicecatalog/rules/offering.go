// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// Offering is a plan with its class and their broker, each nil where it does not exist.
type Offering struct {
	Class  v1beta1.Class
	Plan   v1beta1.Plan
	Broker v1beta1.Broker
	// Missing is why one of them is nil.
	Missing *Blocker
}

// ReferenceTo returns the reference to an offering that a status records for removals.
func ReferenceTo(o Offering) *v1beta1.BrokerReference {
	return &v1beta1.BrokerReference{Kind: catalog.ScopeOf(o.Broker).BrokerKind(), Name: o.Broker.GetName(), ServiceID: o.Class.Common().ExternalID}
}

// BrokerName returns the name of the broker of an offering.
func BrokerName(ref *v1beta1.BrokerReference) string {
	if ref == nil {
		return "of the class"
	}
	return fmt.Sprintf("%s %q", ref.Kind, ref.Name)
}

// BrokerMissing says that a broker does not exist; what is the purpose for which it is needed, such as "to remove the service".
func BrokerMissing(ref *v1beta1.BrokerReference, what string) string {
	if ref == nil {
		return "the broker of the class does not exist, and is needed " + what
	}
	return fmt.Sprintf("%s does not exist, and is needed %s: register it again under this name", BrokerName(ref), what)
}
