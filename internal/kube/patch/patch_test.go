// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package patch

import (
	"context"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// deleting is an API server that is asked to delete.
type deleting struct {
	client.Client
	how client.DeleteOptions
}

func (d *deleting) Delete(_ context.Context, _ client.Object, options ...client.DeleteOption) error {
	d.how.ApplyOptions(options)
	return nil
}

// TestNobodyWaitsToSeeADeletion: a name that is made anew may hide it from the cache for ever.
func TestNobodyWaitsToSeeADeletion(t *testing.T) {
	c := &deleting{}
	if err := Delete(t.Context(), c, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "a", ResourceVersion: "50"}}); err != nil {
		t.Fatal(err)
	}
	if !c.how.DisableReadYourWritesConsistency || *c.how.Preconditions.UID != "a" || *c.how.Preconditions.ResourceVersion != "50" {
		t.Errorf("it is deleted with %+v", c.how)
	}
}

// refusing is an API server that answers each patch with a status.
type refusing struct {
	client.Client
	status metav1.Status
}

func (r refusing) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	return &apierrors.StatusError{ErrStatus: r.status}
}

// Webhooks and policies choose the code of their refusal, and a webhook that cannot be called is an error of the API server.
func TestRefusedFinalizers(t *testing.T) {
	const denied = `admission webhook "x" denied the request: no`
	for name, c := range map[string]struct {
		code                        int32
		reason                      metav1.StatusReason
		message                     string
		isRefusal, isRefusedForever bool
	}{
		"Forbidden":                              {403, metav1.StatusReasonForbidden, "no", true, true},
		"Invalid":                                {422, metav1.StatusReasonInvalid, denied, true, true},
		"webhook without a code":                 {400, "", denied, true, true},
		"webhook with 500":                       {500, "", denied, true, true},
		"webhook with 401":                       {401, "", denied, true, true},
		"policy with Unauthorized":               {401, metav1.StatusReasonUnauthorized, `secrets "s" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no`, true, true},
		"policy with RequestEntityTooLarge":      {413, metav1.StatusReasonRequestEntityTooLarge, "denied request: no", true, true},
		"webhook that cannot be called":          {500, metav1.StatusReasonInternalError, `Internal error occurred: failed calling webhook "x": no endpoints`, true, false},
		"webhook with 404, as if it were gone":   {404, metav1.StatusReasonNotFound, denied, false, false},
		"webhook with 409, as if it had changed": {409, metav1.StatusReasonConflict, denied, false, false},
		"error of the API server":                {500, metav1.StatusReasonInternalError, "Internal error occurred: etcd", false, false},
		"token that has expired":                 {401, metav1.StatusReasonUnauthorized, "Unauthorized", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			refused := metav1.Status{Status: metav1.StatusFailure, Code: c.code, Reason: c.reason, Message: c.message}
			err := RemoveFinalizer(t.Context(), refusing{status: refused}, &metav1.PartialObjectMetadata{}, "f")
			if _, isRefusal := errors.AsType[*RefusedError](err); isRefusal != c.isRefusal {
				t.Errorf("a RefusedError: %t, want %t: %v", isRefusal, c.isRefusal, err)
			}
			if got := IsRefusal(err); got != c.isRefusedForever {
				t.Errorf("IsRefusal returns %t, want %t", got, c.isRefusedForever)
			}
		})
	}
}

// The text of a webhook is foreign: a condition has at most 1 KiB of it, on one line.
func TestTextOfARefusalIsBounded(t *testing.T) {
	refused := metav1.Status{Status: metav1.StatusFailure, Code: 403, Reason: metav1.StatusReasonForbidden, Message: strings.Repeat("be\ncause ", 500)}
	err := RemoveFinalizer(t.Context(), refusing{status: refused}, &metav1.PartialObjectMetadata{}, "f")
	if len(err.Error()) > 1100 || strings.Contains(err.Error(), "\n") {
		t.Errorf("a text of %d bytes: %s", len(err.Error()), err)
	}
}
