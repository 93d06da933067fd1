// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	notifierv1 "github.com/gophernetes/bellhop/proto/bellhop/notifier/v1"
)

// Forward has the notifier post valid requests to a webhook instead of showing them, so that tests of a webhook's messages are tests of a notifier's,
// too. The webhook must answer each request.
func (g *GRPC) Forward(webhook http.Handler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forward = webhook
}

// post posts a request in the form of Bellhop's generic webhook, under its delivery key.
func post(ctx context.Context, webhook http.Handler, r *notifierv1.NotifyRequest) (*notifierv1.NotifyResponse, error) {
	state := "Firing"
	if r.GetEvent() == notifierv1.Event_EVENT_RESOLVED {
		state = "Resolved"
	}
	body, err := json.Marshal(map[string]any{
		"version":   "1",
		"type":      "alert." + strings.ToLower(strings.TrimPrefix(r.GetEvent().String(), "EVENT_")),
		"timestamp": r.GetTime().AsTime(),
		"data": map[string]any{
			"incident": r.GetIncidentKey(), "uid": r.GetUid(), "namespace": r.GetNamespace(), "name": r.GetName(), "state": state,
			"title": r.GetTitle(), "content": r.GetContent(), "severity": r.GetSeverity().String(),
			"links": r.GetLinks(), "instances": r.GetInstances(), "parameters": r.GetParameters(),
		},
	})
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(body))
	request.Header.Set("Webhook-Id", r.GetDeliveryKey())
	answer := httptest.NewRecorder()
	webhook.ServeHTTP(answer, request)
	if answer.Code/100 != 2 {
		return nil, status.Error(codeOf(answer.Code), http.StatusText(answer.Code))
	}
	return &notifierv1.NotifyResponse{ExternalId: "message-" + r.GetDeliveryKey()}, nil
}

// codeOf returns the code with the meaning of an HTTP status.
func codeOf(httpStatus int) codes.Code {
	switch httpStatus {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusConflict:
		return codes.AlreadyExists
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusInternalServerError:
		return codes.Internal
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return codes.Unavailable
	}
	return codes.InvalidArgument
}
