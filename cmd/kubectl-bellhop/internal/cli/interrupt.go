// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// writeTimeout bounds how long a write continues after an interrupt that does not cancel it.
const writeTimeout = 10 * time.Second

// Hold delays the end of the process after an interrupt until release is called.
func (e *Environment) Hold() (release func()) {
	e.holds.Add(1)
	return func() { e.holds.Add(-1) }
}

// IsHeld reports whether something has to end before the process may.
func (e *Environment) IsHeld() bool { return e.holds.Load() > 0 }

// Uninterrupted returns a context for a write that an interrupt does not cancel: one whose answer has to be known, or one that removes
// what the command made. The write has a limited time after the interrupt, and as much as the API server takes without one. The process ends
// after release.
func (e *Environment) Uninterrupted(ctx context.Context) (uninterrupted context.Context, release context.CancelFunc) {
	writing, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	letEnd := e.Hold()
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-writing.Done():
		case <-time.After(writeTimeout):
			cancel(fmt.Errorf("no answer within %s after the interrupt", writeTimeout))
		}
	})
	return writing, func() {
		stop()
		cancel(nil)
		letEnd()
	}
}

// MayBeCarriedOut reports whether a write with an error may be carried out nevertheless: it was sent to the API server, which has not refused it.
func MayBeCarriedOut(err error) bool {
	var status apierrors.APIStatus
	var network *net.OpError
	switch {
	case err == nil, errors.As(err, new(*Error)): // the latter is of the command itself
		return false
	case errors.As(err, &status):
		return status.Status().Code >= http.StatusInternalServerError || status.Status().Code == http.StatusRequestTimeout
	case errors.As(err, &network):
		return network.Op != "dial"
	}
	return !isBeforeRequest(err)
}

// isBeforeRequest reports whether the TLS handshake failed, or the credential plugin of the kubeconfig, for whose errors client-go has no type.
func isBeforeRequest(err error) bool {
	request, isRequest := errors.AsType[*url.Error](err)
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(tls.RecordHeaderError)) ||
		errors.Is(err, http.ErrSchemeMismatch) || isRequest && strings.HasPrefix(request.Err.Error(), "getting credentials: ")
}

// ReadUntil has the end of a context end a command that reads standard input.
func (e *Environment) ReadUntil(ctx context.Context) { e.In = &interruptible{ctx.Done(), e.In} }

// interruptible is a reader whose Read returns context.Canceled after an interrupt, even if nothing was read.
type interruptible struct {
	interrupted <-chan struct{}
	raw         io.Reader
}

func (r *interruptible) Read(into []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	buffer, done := make([]byte, len(into)), make(chan result, 1)
	go func() {
		n, err := r.raw.Read(buffer)
		done <- result{n, err}
	}()
	select {
	case <-r.interrupted:
		return 0, context.Canceled
	case read := <-done:
		return copy(into, buffer[:read.n]), read.err
	}
}
