// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// readModel reads the recorded objects and requests that the floor repeats.
func (o *options) readModel(into any) error {
	content, err := os.ReadFile(o.model)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("reading %s: %w", o.model, err)
	}
	return nil
}

// httpClient returns the client for the receiver or the broker.
func (o *options) httpClient() *http.Client {
	return &http.Client{
		Timeout:   15 * time.Second,
		Transport: &http.Transport{MaxIdleConns: o.workers, MaxIdleConnsPerHost: o.workers},
	}
}

// sendRequest sends a request, and fails unless the answer is 2xx.
func sendRequest(c *http.Client, request *http.Request) error {
	response, err := c.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", request.URL.Host, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// statusPatch replaces an object's status with a patch of the form that Bellhop uses.
func statusPatch(o client.Object, status []byte) []byte { return guardedPatch(o, "/status", status) }

// finalizerPatch removes all finalizers; only Bellhop's is there.
func finalizerPatch(o client.Object) []byte {
	return guardedPatch(o, "/metadata/finalizers", []byte("[]"))
}

func guardedPatch(o client.Object, path string, value []byte) []byte {
	return fmt.Appendf(nil, `[{"op":"test","path":"/metadata/uid","value":%q},{"op":"test","path":"/metadata/resourceVersion","value":%q},{"op":"add","path":%q,"value":%s}]`,
		o.GetUID(), o.GetResourceVersion(), path, value)
}
