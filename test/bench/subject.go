// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
	loop   string // of the floor program; empty for the operator
	async  bool   // its broker answers asynchronously
}

// alertSubjects returns the subjects that send Alerts. The operator is the first, since the floors repeat its requests.
func (b *bench) alertSubjects() []subject {
	return b.filterSubjects([]subject{
		{name: "bellhop", binary: b.operator},
		{name: "client-go floor", binary: b.floor, loop: "client-go"},
		{name: "controller-runtime floor", binary: b.floor, loop: "controller-runtime"},
	})
}

// serviceSubjects returns the subjects that provision and bind. The operator is the first, since the floor repeats its requests.
func (b *bench) serviceSubjects() []subject {
	return b.filterSubjects([]subject{
		{name: "bellhop", binary: b.operator},
		{name: "floor", binary: b.floor, loop: "services"},
		{name: "bellhop, async", binary: b.operator, async: true},
	})
}

// filterSubjects keeps the subjects whose names match -subjects.
func (b *bench) filterSubjects(subjects []subject) []subject {
	pattern := regexp.MustCompile(b.subjects)
	return slices.DeleteFunc(subjects, func(s subject) bool { return !pattern.MatchString(s.name) })
}

// args returns the flags of a floor. The operator runs with its default flags, and reads addresses from objects.
func (s subject) args(model *recordedModel, url string) []string {
	if s.loop == "" {
		return nil
	}
	return []string{"--loop=" + s.loop, "--url=" + url, "--workers=" + strconv.Itoa(model.workers), "--model=" + model.file}
}

// A recordedModel is a file with the requests and the status of one object of the operator, which the floors repeat, and the
// number of workers of the operator's controller.
type recordedModel struct {
	file    string
	workers int
}

// saveModel writes what was recorded of the operator, and reads the number of workers of one of its controllers.
func (b *bench) saveModel(ctx context.Context, s *environment, controller string, recorded any) (*recordedModel, error) {
	metrics, err := s.readMetrics(ctx)
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(recorded)
	if err != nil {
		return nil, err
	}
	model := &recordedModel{file: filepath.Join(b.dir, controller+".json"), workers: int(metrics.sum(workers, controller))}
	return model, os.WriteFile(model.file, content, 0o600)
}

// saveAlertModel records the first Alert of a namespace, and the last message that its receiver got.
func (b *bench) saveAlertModel(ctx context.Context, s *environment, ns *alertNamespace, recv *receiver) (*recordedModel, error) {
	a := &v1beta1.Alert{}
	if err := s.api.Get(ctx, client.ObjectKey{Namespace: ns.namespace, Name: objectName(0)}, a); err != nil {
		return nil, err
	}
	return b.saveModel(ctx, s, "alert", map[string]any{"alert": a, "body": string(recv.lastPageBody())})
}
