// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"

// ReasonTraits are the effects of a condition's reason on events and on waiting.
type ReasonTraits struct {
	// Warning: an event is a Warning also while the object is retried; one about a Stalled object always is.
	Warning bool
	// Quiet: no event is emitted.
	Quiet bool
	// Transient: an object that was created together with the objects that it refers to has the reason for some seconds only. A binding has it
	// until its instance is ready. It is no problem: a failure is announced for the instance.
	Transient bool
}

// reasonTraits has the reasons with a trait; all others announce an expected change.
var reasonTraits = map[string]ReasonTraits{
	v1beta1.ReasonQueued:                        {Quiet: true},
	v1beta1.ReasonProvisionRequestInFlight:      {Quiet: true},
	v1beta1.ReasonUpdateInstanceRequestInFlight: {Quiet: true},
	v1beta1.ReasonBindingRequestInFlight:        {Quiet: true},
	v1beta1.ReasonDeprovisioning:                {Quiet: true}, // its end has the event DeletedAtBroker
	v1beta1.ReasonUnbinding:                     {Quiet: true},

	v1beta1.ReasonReferencesNonexistentInstance: {Transient: true},
	v1beta1.ReasonErrorInstanceRefsUnresolved:   {Transient: true},
	v1beta1.ReasonErrorInstanceNotReady:         {Transient: true},
	v1beta1.ReasonErrorAsyncOperationInProgress: {Transient: true},

	v1beta1.ReasonErrorFetchingCatalog:                {Warning: true},
	v1beta1.ReasonErrorSyncingCatalog:                 {Warning: true},
	v1beta1.ReasonErrorGettingAuthCredentials:         {Warning: true},
	v1beta1.ReasonErrorGettingClusterID:               {Warning: true},
	v1beta1.ReasonErrorWithParameters:                 {Warning: true},
	v1beta1.ReasonErrorNonbindableServiceClass:        {Warning: true},
	v1beta1.ReasonErrorEjectingServiceBinding:         {Warning: true},
	v1beta1.ReasonErrorInjectingBindResult:            {Warning: true},
	v1beta1.ReasonErrorCallingProvision:               {Warning: true},
	v1beta1.ReasonErrorCallingUpdateInstance:          {Warning: true},
	v1beta1.ReasonErrorPollingLastOperation:           {Warning: true},
	v1beta1.ReasonErrorReconciliationRetryTimeout:     {Warning: true},
	v1beta1.ReasonProvisionCallFailed:                 {Warning: true},
	v1beta1.ReasonUpdateInstanceCallFailed:            {Warning: true},
	v1beta1.ReasonDeprovisionCallFailed:               {Warning: true},
	v1beta1.ReasonBindCallFailed:                      {Warning: true},
	v1beta1.ReasonUnbindCallFailed:                    {Warning: true},
	v1beta1.ReasonFetchingBindingFailed:               {Warning: true},
	v1beta1.ReasonOrphanMitigationFailed:              {Warning: true},
	v1beta1.ReasonClusterServiceBrokerReturnedFailure: {Warning: true},
	v1beta1.ReasonServiceBindingReturnedFailure:       {Warning: true},
}

// TraitsOf returns the traits of a reason.
func TraitsOf(reason string) ReasonTraits { return reasonTraits[reason] }
