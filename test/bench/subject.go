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
	"regexp"
	"slices"
	"strconv"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// A subject is a program that is measured.
type subject struct {
	name   string
	binary string
	loop   string // of a floor
	async  bool   // its broker takes its time
}

// senders are those that send Alerts. The operator is the first: the floors copy what it did.
func (b *bench) senders() []subject {
	return b.only([]subject{
		{name: "bellhop", binary: b.operator},
		{name: "client-go floor", binary: b.floor, loop: "client-go"},
		{name: "controller-runtime floor", binary: b.floor, loop: "controller-runtime"},
	})
}

// providers are those that bring services. The operator is the first: the floor copies what it did.
func (b *bench) providers() []subject {
	return b.only([]subject{
		{name: "bellhop", binary: b.operator},
		{name: "floor", binary: b.floor, loop: "services"},
		{name: "bellhop, async", binary: b.operator, async: true},
	})
}

// only are those that are asked for.
func (b *bench) only(subjects []subject) []subject {
	asked := regexp.MustCompile(b.subjects)
	return slices.DeleteFunc(subjects, func(s subject) bool { return !asked.MatchString(s.name) })
}

// args are those of a floor that talks to an address. The operator is told by objects, and has its default flags.
func (s subject) args(model *sample, url string) []string {
	if s.loop == "" {
		return nil
	}
	return []string{"--loop=" + s.loop, "--url=" + url, "--workers=" + strconv.Itoa(model.workers), "--model=" + model.file}
}

// A sample is what the operator did for one object, in a file for the floors, and by how many workers.
type sample struct {
	file    string
	workers int
}

// take keeps what the operator on the stage did, and how many workers a controller of it has.
func (b *bench) take(ctx context.Context, s *stage, controller string, done any) (*sample, error) {
	metrics, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(done)
	if err != nil {
		return nil, err
	}
	model := &sample{file: filepath.Join(b.dir, controller+".json"), workers: int(metrics.sum(workers, controller))}
	return model, os.WriteFile(model.file, content, 0o600)
}

// takeAlert keeps what the operator on the stage did for the Alert that came last.
func (b *bench) takeAlert(ctx context.Context, s *stage, at *site, from *receiver) (*sample, error) {
	a := &v1beta1.Alert{}
	if err := s.api.Get(ctx, client.ObjectKey{Namespace: at.namespace, Name: objectName(0)}, a); err != nil {
		return nil, err
	}
	return b.take(ctx, s, "alert", map[string]any{"alert": a, "body": string(from.lastPage())})
}
