// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// Metadata of an object of another kind, such as a Deployment, that asks for an Alert when it fails.
const (
	// PageLabel is "true" on an object that asks for an Alert.
	PageLabel = "pager.k8s.co/page"
	// PageReceiversAnnotation names the receivers of the Alert, separated by commas: NAME, receiver/NAME or clusterreceiver/NAME.
	PageReceiversAnnotation = "pager.k8s.co/receivers"
	// PageAfterAnnotation is for how many seconds the object has to fail, 0 to 86400.
	PageAfterAnnotation = "pager.k8s.co/page-after-seconds"
	// PageProgressDeadlineAnnotation is for how many seconds the object may be in progress before that counts as a failure, 0 to 2592000; 0: for ever.
	PageProgressDeadlineAnnotation = "pager.k8s.co/progress-deadline-seconds"
	// PageSeverityAnnotation is the severity of the Alert.
	PageSeverityAnnotation = "pager.k8s.co/severity"
	// PageByLabelLabel is "enabled" on a Namespace in which objects may ask for Alerts: whoever may label an object there can then have an
	// Alert sent, without a right to create Alerts.
	PageByLabelLabel = "pager.k8s.co/page-by-label"
	// PagedResourceAnnotation has the resource of the object that an Alert is about, as GROUP/VERSION/RESOURCE. The Alert's owner is the object,
	// unless that is a Job, whose deletion is no recovery.
	PagedResourceAnnotation = "pager.k8s.co/paged-resource"
	// PagedObjectAnnotation has the object that an Alert is about, as KIND/NAME: of the Jobs of a CronJob that CronJob.
	PagedObjectAnnotation = "pager.k8s.co/paged-object"
	// PagedUIDAnnotation has the UID of the object that an Alert is about; of the Jobs of a CronJob that of the one that failed last.
	PagedUIDAnnotation = "pager.k8s.co/paged-uid"
	// FailingSinceAnnotation has the time at which the failure began that an Alert has fired for.
	FailingSinceAnnotation = "pager.k8s.co/failing-since"
)
