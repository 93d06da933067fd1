/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// A pager makes the two requests that an Alert costs at least. Both are of the size that Bellhop's are, and cost next to
// nothing to make: they are copied from one that Bellhop made.
type pager struct {
	client *http.Client
	url    string

	model  v1beta1.Alert
	body   string // what Bellhop sent for model
	status []byte // model's
}

func newPager(o options) (*pager, error) {
	p := &pager{url: o.url, client: &http.Client{
		Timeout:   15 * time.Second,
		Transport: &http.Transport{MaxIdleConns: o.workers, MaxIdleConnsPerHost: o.workers},
	}}
	alert, alertErr := os.ReadFile(o.alertFile)
	body, bodyErr := os.ReadFile(o.paged)
	if err := cmp.Or(alertErr, bodyErr); err != nil {
		return nil, err
	}
	p.body = string(body)
	if err := json.Unmarshal(alert, &p.model); err != nil {
		return nil, fmt.Errorf("reading %s: %w", o.alertFile, err)
	}
	var err error
	p.status, err = json.Marshal(p.model.Status)
	return p, err
}

// page sends the message about an Alert.
func (p *pager) page(ctx context.Context, a *v1beta1.Alert) error {
	body := strings.NewReplacer(string(p.model.UID), string(a.UID), p.model.Name, a.Name).Replace(p.body)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answered %s", response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// record is the patch by which the status says that the Alert is sent; its form is that of Bellhop's.
func (p *pager) record(a *v1beta1.Alert) []byte {
	return fmt.Appendf(nil, `[{"op":"test","path":"/metadata/uid","value":%q},{"op":"test","path":"/metadata/resourceVersion","value":%q},{"op":"add","path":"/status","value":%s}]`,
		a.UID, a.ResourceVersion, p.status)
}
