// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// changing is a client of an Alert that another client changes between the first reading and the first deletion.
type changing struct {
	alertClient
	alert     *v1beta1.Alert
	change    func(*v1beta1.Alert)
	isDeleted bool
}

func (c *changing) Get(context.Context, string, metav1.GetOptions) (*v1beta1.Alert, error) {
	return c.alert.DeepCopy(), nil
}

func (c *changing) Delete(_ context.Context, name string, options metav1.DeleteOptions) error {
	if c.change != nil {
		c.change(c.alert)
		c.alert.ResourceVersion, c.change = "2", nil
	}
	if *options.Preconditions.UID != c.alert.UID || *options.Preconditions.ResourceVersion != c.alert.ResourceVersion {
		return apierrors.NewConflict(v1beta1.Resource("alerts"), name, nil)
	}
	c.isDeleted = true
	return nil
}

// answering is a client whose server answers the creation of an Alert.
type answering struct {
	alertClient
	answer v1beta1.Alert
}

func (c *answering) Create(context.Context, *v1beta1.Alert, metav1.CreateOptions) (*v1beta1.Alert, error) {
	return c.answer.DeepCopy(), nil
}

// A proxy may answer {} or a Status with 200.
func TestCreateOfAnotherAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		answer metav1.ObjectMeta
		isDone bool
	}{
		"created":        {metav1.ObjectMeta{Name: "disk", UID: "uid"}, true},
		"an empty one":   {metav1.ObjectMeta{}, false},
		"not stored":     {metav1.ObjectMeta{Name: "disk"}, false},
		"another object": {metav1.ObjectMeta{Name: "other", UID: "uid"}, false},
	} {
		client := &answering{answer: v1beta1.Alert{ObjectMeta: test.answer}}
		_, err := Create(t.Context(), New(genericiooptions.NewTestIOStreamsDiscard()), NewWriteFlags(), client, &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Name: "disk"}})
		if (err == nil) != test.isDone || MayBeCarriedOut(err) == test.isDone {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestDeleteShown(t *testing.T) {
	for name, test := range map[string]struct {
		change    func(*v1beta1.Alert)
		isDeleted bool
	}{
		"what was not shown": {func(a *v1beta1.Alert) { a.Status.Receivers = "1/1" }, true},
		"what was shown":     {func(a *v1beta1.Alert) { a.Spec.Title = "another" }, false},
		"another object":     {func(a *v1beta1.Alert) { a.UID = types.UID("another") }, false},
	} {
		shown := &v1beta1.Alert{ObjectMeta: metav1.ObjectMeta{Name: "disk", UID: "uid", ResourceVersion: "1"}}
		client := &changing{alert: shown.DeepCopy(), change: test.change}
		err := DeleteShown(t.Context(), New(genericiooptions.NewTestIOStreamsDiscard()), NewWriteFlags(), client, shown,
			func(a *v1beta1.Alert) string { return a.Spec.Title })
		if client.isDeleted != test.isDeleted || (err == nil) != test.isDeleted || apierrors.IsConflict(err) {
			t.Errorf("%s: deleted %v, %v", name, client.isDeleted, err)
		}
	}
}
