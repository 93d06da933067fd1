// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

const (
	// Finalizer is on brokers, instances and bindings from their creation on. It
	// goes once the other side has confirmed that nothing is left there.
	Finalizer = "kubernetes-incubator/service-catalog"

	// AuthSecretFinalizer is on a Secret with a broker's credentials while the
	// broker has instances or bindings: without it they could not be removed.
	AuthSecretFinalizer = "bellhop.gophernetes.io/broker-credentials"

	// MadeIDAnnotation has the external id that admission made for an object, and
	// when, as "ID RFC3339". An id that was brought has none, and under such an id
	// nothing is deleted that this object did not create.
	MadeIDAnnotation = "bellhop.gophernetes.io/made-id"

	// DeletionPolicyAnnotation says what happens outside when the object is
	// deleted: DeletionPolicyRetain or DeletionPolicyDelete.
	DeletionPolicyAnnotation = "bellhop.gophernetes.io/deletion-policy"

	// ParametersPolicyAnnotation says whether a ServiceInstance follows a change of
	// the Secrets in parametersFrom: ParametersAutomatic, which is the default, or
	// ParametersManual.
	ParametersPolicyAnnotation = "bellhop.gophernetes.io/parameters-policy"

	// SchemaPolicyAnnotation says what follows where the schema of a plan refuses the
	// parameters of a ServiceInstance or ServiceBinding: SchemaPolicyEnforce, which is
	// the default, or SchemaPolicyWarn. It is on the plan, or on the object, which
	// takes precedence.
	SchemaPolicyAnnotation = "bellhop.gophernetes.io/schema-policy"

	// RebindAnnotation, set or changed to any value, asks for new credentials of a
	// ServiceBinding: a binding under a new id, by rotation where the plan can. The
	// one before it is removed after RotationOverlapAnnotation. Where the broker has
	// not created the binding yet, or does not remove it, the request is retried at once.
	RebindAnnotation = "bellhop.gophernetes.io/rebind"

	// RetryDeletionAnnotation, set to any value, has the removal requested again that
	// the original service-catalog had given up for an instance or a binding that is
	// being deleted.
	RetryDeletionAnnotation = "bellhop.gophernetes.io/retry-deletion"

	// RotationOverlapAnnotation is how many seconds the former credentials of a
	// ServiceBinding stay valid after the new ones are in its Secret, at the latest
	// until they expire: an integer from 0 to MaxRotationOverlap. The default is
	// DefaultRotationOverlap.
	RotationOverlapAnnotation = "bellhop.gophernetes.io/rotation-overlap-seconds"

	// BindingTypeAnnotation is the key "type" of a ServiceBinding's Secret, where the
	// broker's credentials have none. The default is the external name of the class.
	BindingTypeAnnotation = "bellhop.gophernetes.io/binding-type"

	// BindingProviderAnnotation is the key "provider" of a ServiceBinding's Secret,
	// where the broker's credentials have none. The default is the name of the broker.
	BindingProviderAnnotation = "bellhop.gophernetes.io/binding-provider"

	// MovedFromAnnotation is on a broker: up to 16 former addresses, separated by commas. It
	// confirms that the present address leads to the same broker, so that what this
	// broker answers about resources that were requested there counts.
	MovedFromAnnotation = "bellhop.gophernetes.io/moved-from"

	// CredentialsAnnotation is on a Secret that a ServiceBinding keeps: a digest of
	// the keys that are the binding's, and their names.
	CredentialsAnnotation = "bellhop.gophernetes.io/credentials"

	// WrittenFromAnnotation is on a Secret that a ServiceBinding keeps: the
	// resourceVersion of the ServiceBinding that the last write followed from. What
	// follows from an earlier one, as in a process that no longer leads, is not written.
	WrittenFromAnnotation = "bellhop.gophernetes.io/written-from"

	// RegisteredForAnnotation is on a broker that "kubectl bellhop register" made, and on
	// its Secret: the broker, as KIND/NAME. "register" corrects such a broker, and
	// "deregister" deletes such a Secret.
	RegisteredForAnnotation = "bellhop.gophernetes.io/registered-for"
)

// Values of DeletionPolicyAnnotation.
const (
	// DeletionPolicyRetain lets an object go without telling the broker.
	DeletionPolicyRetain = "Retain"
	// DeletionPolicyDelete deletes outside whatever the object's id names, also
	// where the object did not create it.
	DeletionPolicyDelete = "Delete"
)

// Values of ParametersPolicyAnnotation.
const (
	// ParametersAutomatic updates the instance when a parameter in a Secret changes.
	ParametersAutomatic = "Automatic"
	// ParametersManual sends a changed parameter with the next change of the spec,
	// such as a higher updateRequests.
	ParametersManual = "Manual"
)

// Values of SchemaPolicyAnnotation.
const (
	// SchemaPolicyEnforce refuses the parameters.
	SchemaPolicyEnforce = "Enforce"
	// SchemaPolicyWarn warns of them, and sends them to the broker.
	SchemaPolicyWarn = "Warn"
)

// Values of RotationOverlapAnnotation, in seconds.
const (
	DefaultRotationOverlap = 3600
	MaxRotationOverlap     = 7 * 24 * 3600
)

// Labels with the SHA-224, in lower-case hex, of a field's value. They are how svcat
// finds objects; nothing here looks anything up by them.
const (
	LabelExternalID               = "servicecatalog.k8s.io/spec.externalID"
	LabelExternalName             = "servicecatalog.k8s.io/spec.externalName"
	LabelClusterServiceBrokerName = "servicecatalog.k8s.io/spec.clusterServiceBrokerName"
	LabelServiceBrokerName        = "servicecatalog.k8s.io/spec.serviceBrokerName"
	LabelClusterServiceClassRef   = "servicecatalog.k8s.io/spec.clusterServiceClassRef.name"
	LabelServiceClassRef          = "servicecatalog.k8s.io/spec.serviceClassRef.name"
	LabelClusterServicePlanRef    = "servicecatalog.k8s.io/spec.clusterServicePlanRef.name"
	LabelServicePlanRef           = "servicecatalog.k8s.io/spec.servicePlanRef.name"
)
