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
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// A subject is a program that sends Alerts.
type subject struct {
	name   string
	binary string
	loop   string // of a floor
}

// subjects are the operator and the floors. The operator is the first: the floors copy what it did.
func (b *bench) subjects() []subject {
	return []subject{
		{name: "bellhop", binary: b.operator},
		{name: "client-go floor", binary: b.floor, loop: "client-go"},
		{name: "controller-runtime floor", binary: b.floor, loop: "controller-runtime"},
	}
}

// args are those of a floor that pages a receiver. The operator is told by objects, and has its default flags.
func (s subject) args(model *sample, to *receiver) []string {
	if s.loop == "" {
		return nil
	}
	return []string{
		"--loop=" + s.loop, "--url=" + to.url, "--workers=" + strconv.Itoa(model.workers),
		"--alert=" + model.alert, "--body=" + model.body,
	}
}

// A sample is what the operator did for one Alert, in files for the floors, and by how many workers.
type sample struct {
	alert, body string
	workers     int
}

// take keeps what the operator on the stage did for the Alert that came last.
func (b *bench) take(ctx context.Context, s *stage, at *site, from *receiver) error {
	a := &v1beta1.Alert{}
	if err := s.api.Get(ctx, client.ObjectKey{Namespace: at.namespace, Name: alertName(0)}, a); err != nil {
		return err
	}
	content, err := json.Marshal(a)
	if err != nil {
		return err
	}
	metrics, err := s.read(ctx)
	if err != nil {
		return err
	}
	b.model = &sample{
		alert: filepath.Join(b.dir, "alert.json"), body: filepath.Join(b.dir, "body.json"),
		workers: int(metrics.sum(workers, "alert")),
	}
	if err := os.WriteFile(b.model.alert, content, 0o600); err != nil {
		return err
	}
	return os.WriteFile(b.model.body, from.lastPage(), 0o600)
}
