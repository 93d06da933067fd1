// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
)

// refuseAll has the API server refuse each write of a Secret with a message.
func refuseAll(message string) interceptor.Funcs {
	err := apierrors.NewForbidden(corev1.Resource("secrets"), "b1", errors.New(message))
	return interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return err },
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			return err
		},
		Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error { return err },
	}
}

// F-S41: an admission policy may quote what it refuses, what is in the Secret, and what others have in it.
func TestARefusalDoesNotRepeatCredentials(t *testing.T) {
	b, next := newBinding(), bindingsecret.Content{Data: newData("password", "hunter3")}
	ours := bindingsecret.NewSecret(b, "old", newData("password", "hunter2"))
	ours.UID, ours.Data["theirs"] = "uid-secret", []byte("hunter1")
	immutable := ours.DeepCopy()
	immutable.Immutable = new(true)
	delete(immutable.Data, "theirs") // otherwise the Secret stays
	put := func(s *Store) error { _, err := s.Put(t.Context(), b, "id", next); return err }
	try := func(s *Store) error { return s.Try(t.Context(), b, nil) }
	remove := func(s *Store) error { return s.Remove(t.Context(), ours) }
	for name, test := range map[string]struct {
		there  []client.Object
		do     func(*Store) error
		quotes string
	}{
		"create":          {nil, put, "hunter3"},
		"update":          {[]client.Object{ours}, put, "hunter1 hunter2 hunter3"},
		"recreate":        {[]client.Object{immutable}, put, "hunter2 hunter3"},
		"try":             {[]client.Object{ours}, try, "hunter1 hunter2"},
		"try to recreate": {[]client.Object{immutable}, try, "hunter2"},
		"delete":          {[]client.Object{ours}, remove, "hunter1 hunter2"},
		"delete, unknown": {nil, remove, "hunter1"},
	} {
		keep, _ := keeper(t, refuseAll("not "+test.quotes+strings.Repeat(" x", 2000)), test.there...)
		keep.Cache = fake.NewClientBuilder().WithObjects(test.there...).Build()
		err := test.do(keep)
		if !apierrors.IsForbidden(err) {
			t.Fatalf("%s: %v", name, err)
		}
		if got := Message(err); strings.Contains(err.Error()+got, "hunter") || !strings.Contains(got, "forbidden") && !strings.Contains(got, "HTTP 403") || len(got) > maxRefusal {
			t.Errorf("%s: it says %s", name, got)
		}
	}
}

// F-S40: where a Secret has too many values to look for, a refusal says at least what kind it is.
func TestARefusalOfManyValuesNamesItsKind(t *testing.T) {
	many := map[string][]byte{}
	for i := range 5000 {
		many["k"+strconv.Itoa(i)] = fmt.Appendf(nil, "value-%d", i)
	}
	secrets := corev1.Resource("secrets")
	for want, err := range map[string]error{
		"HTTP 403, exceeded quota; the message of the API server is not shown": apierrors.NewForbidden(secrets, "b", errors.New("exceeded quota: q, value-7")),
		"HTTP 403; the message":           apierrors.NewForbidden(secrets, "b", errors.New("value-7")),
		"HTTP 422; the message":           apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Secret").GroupKind(), "value-7", nil),
		"HTTP 413; the message":           apierrors.NewRequestEntityTooLargeError("value-7"),
		"the request failed; the message": errors.New("value-7"),
	} {
		if got := Message(refused(err, nil, many)); !strings.HasPrefix(got, want) || strings.Contains(got, "value-7") {
			t.Errorf("it says %s, want %s", got, want)
		}
	}
}

// F-S41: only an answer about the Secret says something about the credentials.
func TestIsJudgement(t *testing.T) {
	secrets := corev1.Resource("secrets")
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"a policy":           {apierrors.NewForbidden(secrets, "b", errors.New("no")), true},
		"a webhook":          {apierrors.NewBadRequest("admission webhook denied the request"), true},
		"invalid":            {apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Secret").GroupKind(), "b", nil), true},
		"too large":          {apierrors.NewRequestEntityTooLargeError("limit"), true},
		"redacted":           {refused(apierrors.NewForbidden(secrets, "b", errors.New("no"))), true},
		"a webhook is away":  {apierrors.NewInternalError(errors.New("failed calling webhook")), false},
		"away":               {apierrors.NewServiceUnavailable("away"), false},
		"timeout":            {apierrors.NewTimeoutError("slow", 1), false},
		"server timeout":     {apierrors.NewServerTimeout(secrets, "create", 1), false},
		"conflict":           {apierrors.NewConflict(secrets, "b", errors.New("changed")), false},
		"too many requests":  {apierrors.NewTooManyRequests("later", 1), false},
		"no namespace":       {apierrors.NewNotFound(corev1.Resource("namespaces"), "ns"), false},
		"unauthorized":       {apierrors.NewUnauthorized("expired"), false},
		"no answer":          {context.DeadlineExceeded, false},
		"a Secret of others": {bindingsecret.Occupied(newBinding()), false},
	} {
		if got := IsJudgement(test.err); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
