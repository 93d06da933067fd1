// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// RelistBehavior says when a broker's catalog is read again.
type RelistBehavior string

const (
	// RelistDuration reads it again after relistDuration.
	RelistDuration RelistBehavior = "Duration"
	// RelistManual reads it again only when relistRequests is increased.
	RelistManual RelistBehavior = "Manual"
)

// SecretAuth names a Secret with credentials.
type SecretAuth struct {
	// secretRef names the Secret. A ClusterServiceBroker gives its namespace, too;
	// that of a ServiceBroker is in the broker's namespace.
	// +required
	SecretRef *ObjectReference `json:"secretRef,omitempty"`
}

// OAuth2Auth gets bearer tokens by the OAuth 2.0 client credentials grant.
type OAuth2Auth struct {
	SecretAuth `json:",inline"`

	// tokenURL is where tokens are requested, an http or https URL.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['https', 'http']",message="must be an http or https URL"
	// +required
	TokenURL string `json:"tokenURL,omitempty"`

	// scopes that are requested.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=256
	// +listType=atomic
	// +optional
	Scopes []string `json:"scopes,omitempty"`
}

// AuthInfo says how Bellhop authenticates to a broker. At most one of basic, bearer and
// oauth2 is used, in this order; clientCertificate goes with any of them.
type AuthInfo struct {
	// basic sends a user name and a password: the keys username and password of the
	// Secret.
	// +optional
	Basic *SecretAuth `json:"basic,omitempty"`

	// bearer sends a token: the key token of the Secret.
	// +optional
	Bearer *SecretAuth `json:"bearer,omitempty"`

	// oauth2 gets a token with a client's id and secret: the keys clientID and
	// clientSecret of the Secret.
	// +optional
	OAuth2 *OAuth2Auth `json:"oauth2,omitempty"`

	// clientCertificate is presented to the broker in the TLS handshake: the keys
	// tls.crt and tls.key of the Secret.
	// +optional
	ClientCertificate *SecretAuth `json:"clientCertificate,omitempty"`
}

// +kubebuilder:validation:XValidation:rule="!(has(self.insecureSkipTLSVerify) && self.insecureSkipTLSVerify && has(self.caBundle) && size(self.caBundle) > 0)",message="caBundle has no effect together with insecureSkipTLSVerify: leave one of them out",fieldPath=".caBundle"
// +kubebuilder:validation:XValidation:rule="!has(self.authInfo) || has(self.authInfo.basic) || has(self.authInfo.bearer) || has(self.authInfo.oauth2) || has(self.authInfo.clientCertificate)",message="auth config is required: one of basic, bearer, oauth2 and clientCertificate",fieldPath=".authInfo"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.relistRequests) || !has(self.relistRequests) || self.relistRequests >= oldSelf.relistRequests",message="may not decrease",fieldPath=".relistRequests"

// CommonServiceBrokerSpec is the part of a broker's spec that does not depend on its
// scope.
type CommonServiceBrokerSpec struct {
	// url is the base address of the broker; "/v2/…" is appended to it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +required
	URL string `json:"url"`

	// insecureSkipTLSVerify accepts whatever certificate the broker shows. A program
	// on the network path can then read and change all data.
	// +optional
	InsecureSkipTLSVerify bool `json:"insecureSkipTLSVerify,omitempty"`

	// caBundle has the certificates, in PEM form, that the broker's is checked with.
	// If it is set no others are trusted.
	// +kubebuilder:validation:MaxLength=349528
	// +optional
	CABundle []byte `json:"caBundle,omitempty"`

	// relistBehavior says when the catalog is refreshed: Duration, after
	// relistDuration, or Manual, when relistRequests is increased. Default Duration.
	// +kubebuilder:validation:Enum=Duration;Manual
	// +optional
	RelistBehavior RelistBehavior `json:"relistBehavior"`

	// relistDuration is the interval at which the catalog is refreshed, such as "15m".
	// Default: the operator's --broker-relist-interval, 24h. Less than 1m is taken for
	// 1m.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|μs|ms|s|m|h))+$`
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="must be more than 0, as 15m"
	// +optional
	RelistDuration *metav1.Duration `json:"relistDuration,omitempty"`

	// relistRequests is increased to refresh the catalog now. 0 in an update keeps the
	// old value.
	// +kubebuilder:validation:Minimum=0
	// +optional
	RelistRequests int64 `json:"relistRequests"`

	// catalogRestrictions select what of the catalog is offered. Default: all.
	// +optional
	CatalogRestrictions *CatalogRestrictions `json:"catalogRestrictions,omitempty"`

	// authInfo says how Bellhop authenticates to the broker. Default: not at all.
	// +optional
	AuthInfo *AuthInfo `json:"authInfo,omitempty"`
}

// BrokerAddress is an address that a broker has, or had.
type BrokerAddress struct {
	// digest is the keyed digest of the address, which instances and bindings have in
	// status.brokerAddress.
	Digest string `json:"digest"`

	// address is scheme, host, port and path, normalized, without a user.
	Address string `json:"address"`

	// time when the operator first used the address.
	Time metav1.Time `json:"time"`
}

// ServiceBrokerStatus is what is known of a broker.
type ServiceBrokerStatus struct {
	// conditions of the broker: Reconciling, Stalled, Ready, and Failed where it is
	// True.
	// +listType=atomic
	// +nullable
	// +optional
	Conditions []Condition `json:"conditions"`

	// reconciledGeneration is the generation with which the catalog was last fetched.
	// +optional
	ReconciledGeneration int64 `json:"reconciledGeneration"`

	// observedGeneration is the generation that the conditions are about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// operationStartTime is the time of the first of the failed fetches of the catalog
	// in a row.
	// +optional
	OperationStartTime *metav1.Time `json:"operationStartTime,omitempty"`

	// lastCatalogRetrievalTime is when the catalog was last fetched.
	// +optional
	LastCatalogRetrievalTime *metav1.Time `json:"lastCatalogRetrievalTime,omitempty"`

	// lastConditionState is the type of the last condition if it is True, else its
	// reason.
	// +optional
	LastConditionState string `json:"lastConditionState"`

	// apiVersion is the version of the Open Service Broker API that is spoken with
	// the broker.
	// +optional
	APIVersion string `json:"apiVersion,omitempty"`

	// catalogETag is the ETag of the catalog that was last fetched.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	CatalogETag string `json:"catalogETag,omitempty"`

	// catalogDigest identifies the classes, the plans and the generation of the
	// catalog that was last fetched. If the cluster has others, the catalog is fetched
	// again.
	// +optional
	CatalogDigest string `json:"catalogDigest,omitempty"`

	// credentialsVersion is a keyed digest of the credentials of the last attempt to
	// fetch the catalog. The credentials cannot be derived from it.
	// +optional
	CredentialsVersion string `json:"credentialsVersion,omitempty"`

	// attempts is the number of failed fetches of the catalog in a row.
	// +optional
	Attempts int32 `json:"attempts,omitempty"`

	// misconfigured is how many of the last answers look like a misconfiguration. The first
	// three are followed by another request within a minute, later ones after 5 to 30
	// minutes.
	// +optional
	Misconfigured int32 `json:"misconfigured,omitempty"`

	// nextAttemptTime is when the catalog is fetched next after a failure.
	// +optional
	NextAttemptTime *metav1.Time `json:"nextAttemptTime,omitempty"`

	// addresses of the broker that its instances and bindings have recorded, the first
	// one first. The present one is among them once a fetch of its catalog was tried.
	// +listType=map
	// +listMapKey=digest
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Addresses []BrokerAddress `json:"addresses,omitempty"`

	// serviceClasses is how many classes are offered.
	// +optional
	ServiceClasses int32 `json:"serviceClasses,omitempty"`

	// servicePlans is how many plans are offered.
	// +optional
	ServicePlans int32 `json:"servicePlans,omitempty"`
}

// ClusterServiceBrokerSpec describes a broker for all namespaces.
type ClusterServiceBrokerSpec struct {
	CommonServiceBrokerSpec `json:",inline"`
}

// ServiceBrokerSpec describes a broker for one namespace.
type ServiceBrokerSpec struct {
	CommonServiceBrokerSpec `json:",inline"`
}

// +genclient
// +genclient:nonNamespaced
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories={all,svcat,bellhop}
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, successor of the retired service-catalog"
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.lastConditionState`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`

// ClusterServiceBroker is an Open Service Broker whose services all namespaces may use.
// Its catalog becomes ClusterServiceClasses and ClusterServicePlans.
type ClusterServiceBroker struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says where the broker is and how to talk to it.
	// +required
	Spec ClusterServiceBrokerSpec `json:"spec,omitempty"`
	// status is what is known of the broker.
	// +default={"observedGeneration": -1}
	// +optional
	Status ServiceBrokerStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// ClusterServiceBrokerList is a list of ClusterServiceBrokers.
type ClusterServiceBrokerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterServiceBroker `json:"items"`
}

// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories={all,svcat,bellhop}
// +kubebuilder:metadata:labels="svcat=true"
// +kubebuilder:metadata:annotations="api-approved.kubernetes.io=unapproved, successor of the retired service-catalog"
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.lastConditionState`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`

// ServiceBroker is an Open Service Broker whose services its namespace may use. Its
// catalog becomes ServiceClasses and ServicePlans.
type ServiceBroker struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says where the broker is and how to talk to it.
	// +required
	Spec ServiceBrokerSpec `json:"spec,omitempty"`
	// status is what is known of the broker.
	// +default={"observedGeneration": -1}
	// +optional
	Status ServiceBrokerStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// ServiceBrokerList is a list of ServiceBrokers.
type ServiceBrokerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ServiceBroker `json:"items"`
}

// +kubebuilder:object:generate=false

// Broker is a ClusterServiceBroker or a ServiceBroker, for code that serves both.
type Broker interface {
	metav1.Object
	runtime.Object
	// Common is the spec, to be read and changed.
	Common() *CommonServiceBrokerSpec
	// CommonStatus is the status, to be read and changed.
	CommonStatus() *ServiceBrokerStatus
}

// Common implements Broker.
func (b *ClusterServiceBroker) Common() *CommonServiceBrokerSpec {
	return &b.Spec.CommonServiceBrokerSpec
}

// CommonStatus implements Broker.
func (b *ClusterServiceBroker) CommonStatus() *ServiceBrokerStatus { return &b.Status }

// Common implements Broker.
func (b *ServiceBroker) Common() *CommonServiceBrokerSpec { return &b.Spec.CommonServiceBrokerSpec }

// CommonStatus implements Broker.
func (b *ServiceBroker) CommonStatus() *ServiceBrokerStatus { return &b.Status }

// AuthSecrets are the Secrets that a broker's authInfo names and that are used, with
// the field that names each.
func AuthSecrets(b Broker) map[string]types.NamespacedName {
	secrets := map[string]types.NamespacedName{}
	auth := b.Common().AuthInfo
	if auth == nil {
		return secrets
	}
	add := func(field string, a *SecretAuth) {
		if a == nil || a.SecretRef == nil {
			return
		}
		namespace := b.GetNamespace()
		if namespace == "" {
			namespace = a.SecretRef.Namespace
		}
		secrets[field] = types.NamespacedName{Namespace: namespace, Name: a.SecretRef.Name}
	}
	switch {
	case auth.Basic != nil:
		add("basic", auth.Basic)
	case auth.Bearer != nil:
		add("bearer", auth.Bearer)
	case auth.OAuth2 != nil:
		add("oauth2", &auth.OAuth2.SecretAuth)
	}
	add("clientCertificate", auth.ClientCertificate)
	return secrets
}
