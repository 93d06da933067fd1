// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// A pager sends the two requests that an Alert needs. They are copies of those that Bellhop sent for another Alert, so that they
// have the same size and cost almost nothing to build.
type pager struct {
	client *http.Client
	url    string

	model  v1beta1.Alert
	body   string // of the message that Bellhop sent for model
	status []byte // of model, as JSON
}

func newPager(o options) (*pager, error) {
	var model struct {
		Alert v1beta1.Alert
		Body  string
	}
	if err := o.readModel(&model); err != nil {
		return nil, err
	}
	status, err := json.Marshal(model.Alert.Status)
	return &pager{client: o.httpClient(), url: o.url, model: model.Alert, body: model.Body, status: status}, err
}

// page sends the message about an Alert.
func (p *pager) page(ctx context.Context, a *v1beta1.Alert) error {
	body := strings.NewReplacer(string(p.model.UID), string(a.UID), p.model.Name, a.Name).Replace(p.body)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	return sendRequest(p.client, request)
}
