// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// ParseRotationOverlap returns how long a value of the annotation keeps former credentials valid. Its error describes the valid values.
func ParseRotationOverlap(value string) (time.Duration, error) {
	seconds, err := strconv.Atoi(value)
	if err != nil || seconds < 0 || seconds > v1beta1.MaxRotationOverlap {
		return 0, fmt.Errorf("must be a number of seconds, as an integer from 0 to %d", v1beta1.MaxRotationOverlap)
	}
	return time.Duration(seconds) * time.Second, nil
}

// RotationOverlap returns how long the former credentials of a binding stay valid once the new ones are in its Secret.
func RotationOverlap(b metav1.Object) time.Duration {
	overlap, err := ParseRotationOverlap(b.GetAnnotations()[v1beta1.RotationOverlapAnnotation])
	if err != nil { // there is no annotation, or admission was bypassed
		return v1beta1.DefaultRotationOverlap * time.Second
	}
	return overlap
}
