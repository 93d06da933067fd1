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

package v1beta1

// Condition types of Alerts and receivers, as kstatus knows them. All three are
// always there.
const (
	// ConditionReady is True once all receivers hold what the spec says; of a
	// receiver, once it has answered, or where its provider has no harmless call.
	ConditionReady = "Ready"
	// ConditionReconciling is True while Bellhop goes on by itself.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True while it waits for somebody to change something.
	ConditionStalled = "Stalled"
)

// Reasons of an Alert's conditions and of its deliveries.
const (
	// ReasonSent: all receivers confirmed the content. Ready.
	ReasonSent = "Sent"
	// ReasonResolved: all receivers know that it is over. Ready.
	ReasonResolved = "Resolved"
	// ReasonFiltered: every receiver's minSeverity is above the Alert's. Ready.
	ReasonFiltered = "Filtered"
	// ReasonRetrying: an attempt failed in a way that another may not. Reconciling.
	ReasonRetrying = "Retrying"
	// ReasonQueued: other requests to the same receiver come first. Reconciling.
	ReasonQueued = "Queued"
	// ReasonThrottled: the receiver's rateLimit or namespaceRateLimit is used up
	// for now. Reconciling.
	ReasonThrottled = "Throttled"
	// ReasonMisconfigured: the receiver keeps answering as one that is
	// misconfigured; every few minutes one request tries it.
	ReasonMisconfigured = "Misconfigured"
	// ReasonSending: a request is under way. Reconciling.
	ReasonSending = "Sending"
	// ReasonResolving: a receiver is still to be told that it is over. Reconciling.
	ReasonResolving = "Resolving"

	// ReasonNoReceiver: none is named and there is no default. Stalled.
	ReasonNoReceiver = "NoReceiver"
	// ReasonReceiverNotFound: a named receiver does not exist. Stalled.
	ReasonReceiverNotFound = "ReceiverNotFound"
	// ReasonNamespaceNotSelected: a ClusterReceiver's namespaceSelector does not
	// select the Alert's namespace. Stalled.
	ReasonNamespaceNotSelected = "NamespaceNotSelected"
	// ReasonSecretNotFound: a receiver's Secret does not exist. Stalled.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonSecretNotRead: a receiver's Secret could not be read now. Of a delivery
	// and of a receiver; the Alert is Retrying.
	ReasonSecretNotRead = "SecretNotRead"
	// ReasonSuspended: a receiver is suspended. Stalled.
	ReasonSuspended = "Suspended"
	// ReasonFailed: a receiver refused it for good, or cannot be asked as it is
	// described; the message says which. Stalled.
	ReasonFailed = "Failed"
	// ReasonExpired: expireAfterSeconds passed before it was confirmed. Stalled.
	ReasonExpired = "Expired"
	// ReasonOutcomeUnknown: an answer was lost, and the receiver's deliveryPolicy
	// is AtMostOnce. Stalled.
	ReasonOutcomeUnknown = "OutcomeUnknown"
	// ReasonRestored: the Alert came back from a backup. Stalled.
	ReasonRestored = "Restored"
	// ReasonResolveTimedOut: resolveTimeoutSeconds passed before a receiver
	// confirmed that it knows that it is over. Stalled.
	ReasonResolveTimedOut = "ResolveTimedOut"
)

// Reasons of a receiver's conditions, beside SecretNotFound, SecretNotRead,
// Suspended and those of deliveries that failed.
const (
	// ReasonAnswered: it answered a harmless call or a delivery. Ready.
	ReasonAnswered = "Answered"
	// ReasonNotProbed: its configuration is complete and its provider has no harmless
	// call, so that the first delivery proves it. Ready.
	ReasonNotProbed = "NotProbed"
	// ReasonAsking: it is being asked. Reconciling.
	ReasonAsking = "Asking"
)
