// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/gophernetes/bellhop/internal/outbound/redact"
)

// maxRefusal bounds the API server's message in a condition.
const maxRefusal = 512

// refusal is the API server's refusal of a Secret, in its words without the Secret's values: an admission policy may quote them.
type refusal struct {
	error

	words string
}

func (r refusal) Error() string { return r.words }

func (r refusal) Unwrap() error { return r.error }

// refused returns an error about a Secret that has or had the data as a refusal; nil: there is no error.
func refused(err error, data ...map[string][]byte) error {
	if _, known := errors.AsType[refusal](err); known || err == nil {
		return err
	}
	var values []string
	for _, content := range data {
		for _, value := range content {
			values = append(values, string(value))
		}
	}
	redactor := redact.NewRedactor(values...)
	if redactor.Withholds() {
		return refusal{err, summaryOf(err)}
	}
	return refusal{err, redactor.Clean(err.Error(), maxRefusal)}
}

// summaryOf describes a refusal whose message cannot be shown, in words that are not the API server's.
func summaryOf(err error) string {
	text := "the request failed"
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		text = fmt.Sprintf("HTTP %d", status.ErrStatus.Code)
	}
	if ExceedsQuota(err) {
		text += ", " + exceededQuota
	}
	return text + "; the message of the API server is not shown, since it may have values of the Secret that the operator cannot redact"
}

// exceededQuota is in the message of a refusal because of a ResourceQuota.
const exceededQuota = "exceeded quota"

// ExceedsQuota reports whether the API server refused an object because of a quota, which does not depend on its content.
func ExceedsQuota(err error) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && apierrors.IsForbidden(err) && strings.Contains(status.ErrStatus.Message, exceededQuota)
}

// requestTimeout is an HTTP status code, which package errors of apimachinery does not know.
const requestTimeout = 408

// IsJudgement reports whether the API server, or an admission policy, refused the object itself, rather than could not store anything.
func IsJudgement(err error) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err) || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) ||
		apierrors.IsTooManyRequests(err) || apierrors.IsTimeout(err) || status.ErrStatus.Code == requestTimeout {
		return false
	}
	return status.ErrStatus.Code/100 == 4
}

// Message returns the message of an error of the Store, without any value of a Secret.
func Message(err error) string { return redact.NewRedactor().Clean(err.Error(), maxRefusal) }
