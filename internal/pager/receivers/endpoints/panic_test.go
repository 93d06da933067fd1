// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoints

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// F-P23: all panics of a provider are logged with their stack, and without their text, which may have the content of a message.
func TestPanicsAreLoggedWithTheirStack(t *testing.T) {
	var said strings.Builder
	ctx := log.IntoContext(t.Context(), funcr.New(func(_, line string) { said.WriteString(line) }, funcr.Options{}))
	func() {
		defer func() {
			if failure := FailureOfPanic(ctx, v1beta1.ReceiverRef{Name: "oncall"}, recover()); failure == nil {
				t.Error("it is no failure")
			}
		}()
		panic("the content of a message")
	}()
	if line := said.String(); !strings.Contains(line, "TestPanicsAreLoggedWithTheirStack") || strings.Contains(line, "the content") {
		t.Error(line)
	}
}

// F-P66: a panic while the sender of a receiver is made is a failure of this receiver, to which nothing was sent, and ends with its cause.
func TestPanicWhileASenderIsMade(t *testing.T) {
	panicking := true
	cache := newTestCache(&secretReader{read: func(context.Context, *corev1.Secret) error {
		if panicking {
			panic("the content of a Secret")
		}
		return nil
	}})
	target := newTarget("1")
	if ok, err := cache.SetVersion(t.Context(), "ns", controllertest.Team, &target); ok || err != nil || target.Version != "1" {
		t.Errorf("%t, %v, the version is %q", ok, err, target.Version)
	}
	_, _, err := cache.Sender(t.Context(), "ns", controllertest.Team, target)
	failure, ok := errors.AsType[*result.Error](err)
	if !ok || failure.Class != result.Temporary || failure.Reason != result.ReasonInternalError || strings.Contains(failure.Message, "content") {
		t.Errorf("the error is %#v", err)
	}
	panicking = false
	if sender, _, err := cache.Sender(t.Context(), "ns", controllertest.Team, target); sender == nil || err != nil {
		t.Errorf("%v, %v", sender, err)
	}
}
