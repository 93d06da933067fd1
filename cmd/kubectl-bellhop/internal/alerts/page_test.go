// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// The name of an Alert may be random: without it the user could not find the Alert.
func TestCreateErrorNamesAnAlertThatMayExist(t *testing.T) {
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	post := func(err error) error { return &url.Error{Op: "Post", URL: "https://127.0.0.1/apis", Err: err} }
	for name, test := range map[string]struct {
		err                    error
		isInterrupted, isKnown bool
		text                   string
	}{
		"refused":         {apierrors.NewForbidden(v1beta1.Resource("alerts"), "page-x", nil), false, true, "forbidden"},
		"conflict":        {apierrors.NewAlreadyExists(v1beta1.Resource("alerts"), "page-x"), false, true, "already exists"},
		"never sent":      {post(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), false, true, "connection refused"},
		"certificate":     {post(&tls.CertificateVerificationError{Err: errors.New("expired")}), false, true, "expired"},
		"not TLS":         {post(tls.RecordHeaderError{Msg: "no handshake"}), false, true, "no handshake"},
		"HTTP":            {post(http.ErrSchemeMismatch), false, true, "HTTP response to HTTPS client"},
		"wrong":           {cli.UsageError("wrong"), false, true, "wrong"},
		"interrupted":     {post(context.Canceled), true, false, "the command was interrupted before the API server had answered"},
		"connection lost": {post(&net.OpError{Op: "read", Err: errors.New("connection reset")}), false, false, "connection reset"},
		"server timeout":  {apierrors.NewTimeoutError("no answer of etcd", 0), false, false, "no answer of etcd"},
	} {
		ctx := t.Context()
		if test.isInterrupted {
			ctx = interrupted
		}
		err := createError(ctx, failedAlert("page-x"), test.err)
		_, isLeft := errors.AsType[*cli.LeftError](err)
		if isLeft == test.isKnown || !strings.Contains(cli.Explain(err), test.text) {
			t.Errorf("%s: got %q", name, cli.Explain(err))
		}
		if isLeft && (!strings.Contains(err.Error(), "alert.pager.k8s.co/page-x") || !strings.Contains(cli.HintOf(err), "kubectl bellhop alerts page-x --namespace=default")) {
			t.Errorf("%s: got %v, hint %q", name, err, cli.HintOf(err))
		}
	}
	if createError(t.Context(), failedAlert("page-x"), nil) != nil {
		t.Error("a creation without an error is none")
	}
}
