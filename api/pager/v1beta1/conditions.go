// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// Condition types of Alerts and receivers, as in kstatus. All three always exist.
const (
	// ConditionReady is True once all receivers confirmed the spec; of a receiver, once
	// it has answered, or where its provider has no harmless call.
	ConditionReady = "Ready"
	// ConditionReconciling is True while the operator continues by itself.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True while a person has to act.
	ConditionStalled = "Stalled"
)

// Reasons of an Alert's conditions and of its deliveries.
const (
	// ReasonSent: all receivers confirmed the content. Ready.
	ReasonSent = "Sent"
	// ReasonResolved: all receivers confirmed the resolve. Ready.
	ReasonResolved = "Resolved"
	// ReasonFiltered: every receiver's minSeverity is above the Alert's. Ready.
	ReasonFiltered = "Filtered"
	// ReasonBelowMinSeverity: the severity fell below the receiver's minSeverity while
	// the receiver held the Alert, so that it was resolved there. Only in deliveries.
	ReasonBelowMinSeverity = "BelowMinSeverity"
	// ReasonRetrying: an attempt failed and is retried. Reconciling.
	ReasonRetrying = "Retrying"
	// ReasonQueued: other requests to the same receiver come first. Reconciling.
	ReasonQueued = "Queued"
	// ReasonThrottled: the receiver's rateLimit or namespaceRateLimit is reached.
	// Reconciling.
	ReasonThrottled = "Throttled"
	// ReasonMisconfigured: the receiver's answers look like a misconfiguration; one
	// request is sent every few minutes. Stalled.
	ReasonMisconfigured = "Misconfigured"
	// ReasonSending: a request is in flight. Reconciling.
	ReasonSending = "Sending"
	// ReasonResolving: a resolve is not confirmed yet. Reconciling.
	ReasonResolving = "Resolving"

	// ReasonNoReceiver: the spec names none, and there is no default. Stalled.
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
	// ReasonTooManyReceivers: too many receivers hold the page that the spec no longer
	// names. Stalled.
	ReasonTooManyReceivers = "TooManyReceivers"
	// ReasonSuspended: a receiver is suspended. Stalled.
	ReasonSuspended = "Suspended"
	// ReasonFailed: a receiver refused the content, or its spec cannot be used; the
	// message says which. Stalled.
	ReasonFailed = "Failed"
	// ReasonExpired: expireAfterSeconds passed before it was confirmed. Stalled.
	ReasonExpired = "Expired"
	// ReasonOutcomeUnknown: an answer was lost, and the receiver's deliveryPolicy
	// is AtMostOnce; or three answers were a success of no form that the provider
	// documents. Stalled.
	ReasonOutcomeUnknown = "OutcomeUnknown"
	// ReasonRestored: the Alert was restored from a backup. Stalled.
	ReasonRestored = "Restored"
	// ReasonResolveTimedOut: resolveTimeoutSeconds passed before a receiver confirmed
	// the resolve. Stalled.
	ReasonResolveTimedOut = "ResolveTimedOut"
)

// ReasonInternalError: a mistake in Bellhop ended the work on the object, which is
// retried. Stalled, of all kinds.
const ReasonInternalError = "InternalError"

// ReasonFinalizerRefused: the API server refuses to add or to remove the
// finalizer, which is retried. Stalled, of Alerts.
const ReasonFinalizerRefused = "FinalizerRefused"

// Reasons of a receiver's conditions, beside SecretNotFound, SecretNotRead,
// Suspended and those of deliveries that failed.
const (
	// ReasonReachable: it has answered a probe or a delivery. Ready.
	ReasonReachable = "Reachable"
	// ReasonNotProbed: its configuration is complete and its provider has no harmless
	// call, so that the first delivery proves it. Ready.
	ReasonNotProbed = "NotProbed"
	// ReasonProbing: a probe is in flight, or due. Reconciling.
	ReasonProbing = "Probing"
	// ReasonRecipientRefused: the last message was accepted for some of the receiver's
	// recipients and refused for others. Stalled.
	ReasonRecipientRefused = "RecipientRefused"
)

// Reasons of an AlertSource's conditions, beside SecretNotFound and SecretNotRead.
const (
	// ReasonListening: senders can post. Ready.
	ReasonListening = "Listening"
	// ReasonListenerOff: the operator does not listen. Stalled.
	ReasonListenerOff = "ListenerOff"
	// ReasonTokenMissing: the Secret has no key token. Stalled.
	ReasonTokenMissing = "TokenMissing"
)
