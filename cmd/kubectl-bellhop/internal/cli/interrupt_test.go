// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// F-U19
func TestInterruptedRead(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	input, text := io.Pipe()
	e := New(genericiooptions.IOStreams{In: input, Out: io.Discard, ErrOut: io.Discard})
	e.ReadUntil(ctx)
	go func() {
		_, _ = text.Write([]byte("some text"))
		interrupt()
	}()
	read, err := io.ReadAll(e.In)
	if !errors.Is(err, context.Canceled) || !bytes.HasPrefix([]byte("some text"), read) {
		t.Errorf("%q, %v", read, err)
	}
}

func TestUninterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	e := New(genericiooptions.NewTestIOStreamsDiscard())
	writing, release := e.Uninterrupted(ctx)
	if writing.Err() != nil || !e.IsHeld() {
		t.Error("the write is interrupted")
	}
	release()
	if writing.Err() == nil || e.IsHeld() {
		t.Error("the process does not end after the write")
	}
}

func TestUninterruptedIsBoundedAfterAnInterruptOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		writing, release := New(genericiooptions.NewTestIOStreamsDiscard()).Uninterrupted(ctx)
		defer release()
		time.Sleep(time.Minute) // of a slow admission webhook
		interrupt()
		time.Sleep(writeTimeout - time.Second)
		if writing.Err() != nil {
			t.Error("the write is interrupted")
		}
		time.Sleep(2 * time.Second)
		if writing.Err() == nil {
			t.Error("the write has no end after the interrupt")
		}
	})
}
