// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// Condition types. Those that the group has always had stand last, in this order,
// since clients read the last element; Reconciling and Stalled, for kstatus, stand
// before them.
const (
	// ConditionReconciling is True while Bellhop goes on by itself.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True while the object waits for a person to change something.
	ConditionStalled = "Stalled"
	// ConditionReady is True once the broker confirmed what the spec says, or the
	// broker's catalog was read.
	ConditionReady = "Ready"
	// ConditionFailed is True once nothing is tried any more until the spec changes.
	ConditionFailed = "Failed"
	// ConditionOrphanMitigation is True while something is being removed that may
	// have been left at the broker.
	ConditionOrphanMitigation = "OrphanMitigation"
)

// Reasons of brokers' conditions.
const (
	ReasonFetchedCatalog       = "FetchedCatalog"
	ReasonErrorFetchingCatalog = "ErrorFetchingCatalog"
	ReasonErrorSyncingCatalog  = "ErrorSyncingCatalog"
	// ReasonPartlySynced: some of the catalog is not offered; the message says what and why.
	ReasonPartlySynced = "PartlySynced"
	// ReasonErrorGettingAuthCredentials: the Secret is missing or incomplete. An event's.
	ReasonErrorGettingAuthCredentials = "ErrorGettingAuthCredentials"
	// ReasonBrokerInUse: the broker is deleted and has instances or bindings left.
	ReasonBrokerInUse = "InUse"
	// ReasonDeletedClusterServiceBrokerSuccessfully: a ClusterServiceBroker was let
	// go. An event's.
	ReasonDeletedClusterServiceBrokerSuccessfully = "DeletedClusterServiceBrokerSuccessfully"
	// ReasonDeletedSuccessfully: a ServiceBroker was released. An event's.
	ReasonDeletedSuccessfully = "DeletedSuccessfully"
	// ReasonCredentialsInUse: a Secret is deleted and kept, since something is left at
	// a broker that is reached with it. An event's, of the Secret.
	ReasonCredentialsInUse = "CredentialsInUse"
)

// Reasons of instances' and bindings' conditions, before anything is sent.
const (
	ReasonReferencesNonexistentServiceClass = "ReferencesNonexistentServiceClass"
	ReasonReferencesNonexistentServicePlan  = "ReferencesNonexistentServicePlan"
	ReasonReferencesNonexistentBroker       = "ReferencesNonexistentBroker"
	ReasonReferencesDeletedServiceClass     = "ReferencesDeletedServiceClass"
	ReasonReferencesDeletedServicePlan      = "ReferencesDeletedServicePlan"
	ReasonReferencesNonexistentInstance     = "ReferencesNonexistentInstance"
	ReasonErrorInstanceRefsUnresolved       = "ErrorInstanceRefsUnresolved"
	ReasonErrorInstanceNotReady             = "ErrorInstanceNotReady"
	ReasonErrorWithParameters               = "ErrorWithParameters"
	ReasonErrorNonbindableServiceClass      = "ErrorNonbindableServiceClass"
	// ReasonErrorGettingClusterID: what brokers are told of the cluster and the namespace
	// could not be read.
	ReasonErrorGettingClusterID = "ErrorGettingClusterID"
	// ReasonErrorWritingReferences: the API server refused the references to class and
	// plan, such as by an admission policy.
	ReasonErrorWritingReferences = "ErrorWritingReferences"
	// ReasonErrorEjectingServiceBinding: the binding's Secret could not be deleted.
	ReasonErrorEjectingServiceBinding = "ErrorEjectingServiceBinding"
	// ReasonExternalIDInUse: another object has this external id.
	ReasonExternalIDInUse = "ExternalIDInUse"
	// ReasonConflict: the broker has something else under the id than what is asked for,
	// and this object's record does not show that it is left over from this object.
	ReasonConflict = "Conflict"
	// ReasonOwnershipUnknown: the id was supplied, and the broker has not said whose
	// request created what it has.
	ReasonOwnershipUnknown = "OwnershipUnknown"
	// ReasonGoneUnconfirmed: the broker has answered 410 Gone to a deletion, and has not
	// answered another request with success since.
	ReasonGoneUnconfirmed = "GoneUnconfirmed"
	// ReasonBrokerMoved: the broker has answered 410 Gone to a deletion at another
	// address than the recorded one. MovedFromAnnotation confirms the move.
	ReasonBrokerMoved = "BrokerMoved"
	// ReasonTakeoverRequired: the original service-catalog has made the object, and its
	// takeover is not recorded: see kubectl bellhop doctor --take-over.
	ReasonTakeoverRequired = "TakeoverRequired"
	// ReasonQueued: other requests to the same broker come first.
	ReasonQueued = "Queued"
	// ReasonAbandoned: the finalizer was removed; nothing is sent any more.
	ReasonAbandoned = "Abandoned"
	// ReasonUnsupportedBinding: the service requires what a cluster cannot give,
	// such as volume mounts. It is also the reason of the event about a log drain.
	ReasonUnsupportedBinding = "UnsupportedBinding"
	// ReasonInternalError: a mistake in Bellhop ended the work on the object, which is
	// retried. Stalled, of all kinds.
	ReasonInternalError = "InternalError"
	// ReasonFinalizerRefused: the API server refuses to add or to remove the
	// finalizer, which is retried. Stalled, of all kinds.
	ReasonFinalizerRefused = "FinalizerRefused"
)

// Reasons of instances' conditions.
const (
	ReasonProvisionedSuccessfully                 = "ProvisionedSuccessfully"
	ReasonInstanceUpdatedSuccessfully             = "InstanceUpdatedSuccessfully"
	ReasonProvisionRequestInFlight                = "ProvisionRequestInFlight"
	ReasonUpdateInstanceRequestInFlight           = "UpdateInstanceRequestInFlight"
	ReasonProvisioning                            = "Provisioning"
	ReasonUpdatingInstance                        = "UpdatingInstance"
	ReasonDeprovisioning                          = "Deprovisioning"
	ReasonProvisionCallFailed                     = "ProvisionCallFailed"
	ReasonErrorCallingProvision                   = "ErrorCallingProvision"
	ReasonUpdateInstanceCallFailed                = "UpdateInstanceCallFailed"
	ReasonErrorCallingUpdateInstance              = "ErrorCallingUpdateInstance"
	ReasonDeprovisionCallFailed                   = "DeprovisionCallFailed"
	ReasonErrorPollingLastOperation               = "ErrorPollingLastOperation"
	ReasonErrorReconciliationRetryTimeout         = "ErrorReconciliationRetryTimeout"
	ReasonStartingInstanceOrphanMitigation        = "StartingInstanceOrphanMitigation"
	ReasonOrphanMitigationSuccessful              = "OrphanMitigationSuccessful"
	ReasonOrphanMitigationFailed                  = "OrphanMitigationFailed"
	ReasonResultNotRecorded                       = "ResultNotRecorded"
	ReasonDeprovisionedSuccessfully               = "DeprovisionedSuccessfully"
	ReasonDeprovisionBlockedByExistingCredentials = "DeprovisionBlockedByExistingCredentials"
	// ReasonClusterServiceBrokerReturnedFailure: the broker refused to provision. Of
	// brokers of either scope.
	ReasonClusterServiceBrokerReturnedFailure = "ClusterServiceBrokerReturnedFailure"
	// ReasonDefinitionTerminating: the CRD is being deleted, and with it every
	// object; nothing outside is deleted for that.
	ReasonDefinitionTerminating = "DefinitionTerminating"
	// ReasonNamespaceTerminating: the namespace is being deleted; nothing is created or
	// changed for objects in it. Of instances and bindings.
	ReasonNamespaceTerminating = "NamespaceTerminating"
	// ReasonInstanceUnusable: the broker says that the instance can no longer be used.
	ReasonInstanceUnusable = "InstanceUnusable"
	// ReasonExternalIDChanged: the object has another id at the broker from now on. An
	// event's, which has the former ids.
	ReasonExternalIDChanged = "ExternalIDChanged"
	// ReasonDeletedAtBroker: the broker has confirmed a deletion. An event's, which
	// says why it was requested.
	ReasonDeletedAtBroker = "DeletedAtBroker"
	// ReasonRetained: the object was released and the service was left as it is. An
	// event's.
	ReasonRetained = "Retained"
)

// Reasons of bindings' conditions.
const (
	ReasonInjectedBindResult                  = "InjectedBindResult"
	ReasonBindingRequestInFlight              = "BindingRequestInFlight"
	ReasonBinding                             = "Binding"
	ReasonUnbinding                           = "Unbinding"
	ReasonBindCallFailed                      = "BindCallFailed"
	ReasonUnbindCallFailed                    = "UnbindCallFailed"
	ReasonErrorInjectingBindResult            = "ErrorInjectingBindResult"
	ReasonFetchingBindingFailed               = "FetchingBindingFailed"
	ReasonServiceBindingReturnedFailure       = "ServiceBindingReturnedFailure"
	ReasonServiceBindingNeedsOrphanMitigation = "ServiceBindingNeedsOrphanMitigation"
	ReasonErrorAsyncOperationInProgress       = "ErrorAsyncOperationInProgress"
	ReasonUnboundSuccessfully                 = "UnboundSuccessfully"
	// ReasonSecretEdited: the credentials in the Secret were changed, and the
	// broker does not return them again.
	ReasonSecretEdited = "SecretEdited"
	// ReasonRebinding: the credentials are being replaced by new ones.
	ReasonRebinding = "Rebinding"
)
