// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Hash returns the label value for the value of a field: its SHA-224 in lower-case hex.
func Hash(value string) string {
	digest := sha256.Sum224([]byte(value))
	return hex.EncodeToString(digest[:])
}

// ClassLabels returns the labels of a class.
func ClassLabels(class v1beta1.Class) map[string]string {
	labels := commonLabels(class.Common().ExternalID, class.Common().ExternalName)
	labels[brokerLabel(class)] = Hash(class.BrokerName())
	return labels
}

// PlanLabels returns the labels of a plan.
func PlanLabels(plan v1beta1.Plan) map[string]string {
	labels := commonLabels(plan.Common().ExternalID, plan.Common().ExternalName)
	labels[brokerLabel(plan)] = Hash(plan.BrokerName())
	if ScopeOf(plan) == Cluster {
		labels[v1beta1.LabelClusterServiceClassRef] = Hash(plan.ClassName())
	} else {
		labels[v1beta1.LabelServiceClassRef] = Hash(plan.ClassName())
	}
	return labels
}

func commonLabels(id, name string) map[string]string {
	return map[string]string{v1beta1.LabelExternalID: Hash(id), v1beta1.LabelExternalName: Hash(name)}
}

func brokerLabel(obj any) string {
	if ScopeOf(obj) == Cluster {
		return v1beta1.LabelClusterServiceBrokerName
	}
	return v1beta1.LabelServiceBrokerName
}

// InstanceLabels returns the labels of an instance, for the references that it has.
func InstanceLabels(instance *v1beta1.ServiceInstance) map[string]string {
	labels, spec := map[string]string{}, &instance.Spec
	if ref := spec.ClusterServiceClassRef; ref != nil {
		labels[v1beta1.LabelClusterServiceClassRef] = Hash(ref.Name)
	}
	if ref := spec.ClusterServicePlanRef; ref != nil {
		labels[v1beta1.LabelClusterServicePlanRef] = Hash(ref.Name)
	}
	if ref := spec.ServiceClassRef; ref != nil {
		labels[v1beta1.LabelServiceClassRef] = Hash(ref.Name)
	}
	if ref := spec.ServicePlanRef; ref != nil {
		labels[v1beta1.LabelServicePlanRef] = Hash(ref.Name)
	}
	return labels
}

// SetLabels sets labels of an object, keeps its other labels, and reports whether anything changed. The object's map is not
// modified: it may belong to a cache.
func SetLabels(obj metav1.Object, labels map[string]string) bool {
	old := obj.GetLabels()
	set := make(map[string]string, len(old)+len(labels))
	maps.Copy(set, old)
	maps.Copy(set, labels)
	if maps.Equal(set, old) {
		return false
	}
	obj.SetLabels(set)
	return true
}
