// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// IsRetryRequested reports whether the annotation of an object requests a removal that the original service-catalog has given up. That is handled
// once the broker has answered, as the status then does not say any more that the removal was given up.
func IsRetryRequested(o metav1.Object) bool {
	return o.GetAnnotations()[v1beta1.RetryDeletionAnnotation] != ""
}

// HoldGivenUpRemoval returns the blocker of a removal that the original service-catalog has given up, until IsRetryRequested. The text of the
// original's conditions stays in the attempts, since Bellhop overwrites the conditions.
func HoldGivenUpRemoval(kind, reason string, o metav1.Object, s *v1beta1.OperationStatus, spec v1beta1.AttemptedSpec) *Blocker {
	if words := wordsOfOriginal(s.Conditions); words != "" {
		s.Attempts = &v1beta1.Attempts{AttemptedSpec: spec, Outcome: v1beta1.Outcome{LastError: words}}
	}
	words := "its words were not recorded"
	if s.Attempts != nil {
		words = cmp.Or(s.Attempts.LastError, words)
	}
	return BlockedBy(reason, fmt.Sprintf(`the original service-catalog gave up the removal at the broker (%s), and it is requested again only on request: "%s"`,
		strings.TrimSuffix(words, "."), retryDeletion(kind, o)))
}

// HowToRetryRemoval says how a person asks for a removal that the original service-catalog has given up; empty: it has not. kind names the
// object's kind as kubectl does.
func HowToRetryRemoval(kind string, o metav1.Object, isGivenUp bool) string {
	if !isGivenUp {
		return ""
	}
	return "To have the broker asked once more: " + retryDeletion(kind, o) + ". "
}

func retryDeletion(kind string, o metav1.Object) string {
	return annotate(kind, o, v1beta1.RetryDeletionAnnotation, "1")
}

// wordsOfOriginal returns the text of the conditions that the original service-catalog wrote; empty: they are Bellhop's, which have Stalled.
func wordsOfOriginal(conditions []v1beta1.Condition) string {
	if FindCondition(conditions, v1beta1.ConditionStalled) != nil {
		return ""
	}
	var words []string
	for _, kind := range []string{v1beta1.ConditionReady, v1beta1.ConditionFailed} {
		if c := FindCondition(conditions, kind); c != nil {
			words = append(words, c.Message)
		}
	}
	return strings.Join(Distinct(words...), "; ")
}
