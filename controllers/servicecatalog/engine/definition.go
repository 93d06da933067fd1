// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/panics"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// definitionTimeout bounds a read.
const definitionTimeout = 10 * time.Second

// DefinitionReader reads whether a CRD is being deleted. That deletes all its objects, and must not delete anything at brokers (R10).
type DefinitionReader struct {
	live client.Reader
	name string

	mu      sync.Mutex
	next    *reading // a read that has not begun
	running sync.Mutex
}

// NewDefinitionReader returns the reader of the CustomResourceDefinition of a kind of the group servicecatalog.k8s.io.
func NewDefinitionReader(live client.Reader, kind string) *DefinitionReader {
	return &DefinitionReader{live: live, name: strings.ToLower(kind) + "s." + v1beta1.GroupVersion.Group}
}

// reading is one read, shared by all calls from before it began.
type reading struct {
	done  chan struct{}
	state rules.Definition
	err   error
}

// Read returns the result of a read that begins after the call.
func (d *DefinitionReader) Read(ctx context.Context) (rules.Definition, error) {
	d.mu.Lock()
	r := d.next
	if r == nil {
		r = &reading{done: make(chan struct{})}
		d.next = r
		go d.readShared(context.WithoutCancel(ctx), r)
	}
	d.mu.Unlock()
	select {
	case <-r.done:
		return r.state, r.err
	case <-ctx.Done():
		return rules.DefinitionUnknown, ctx.Err()
	}
}

func (d *DefinitionReader) readShared(ctx context.Context, r *reading) {
	d.running.Lock() // one at a time, so that many callers share the next
	defer d.running.Unlock()
	d.mu.Lock()
	d.next = nil
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, definitionTimeout)
	defer cancel()
	defer close(r.done)
	r.state, r.err = d.find(ctx)
}

// find reads the CustomResourceDefinition. After a panic its state is unknown.
func (d *DefinitionReader) find(ctx context.Context) (state rules.Definition, err error) {
	defer panics.Recover(ctx, panics.Cluster, "reading a CustomResourceDefinition", &err)
	crd := &metav1.PartialObjectMetadata{}
	crd.APIVersion, crd.Kind = "apiextensions.k8s.io/v1", "CustomResourceDefinition"
	err = d.live.Get(ctx, client.ObjectKey{Name: d.name}, crd)
	switch {
	case apierrors.IsNotFound(err):
		return rules.DefinitionTerminating, nil
	case err != nil:
		return rules.DefinitionUnknown, fmt.Errorf("reading CustomResourceDefinition %s: %w", d.name, err)
	case !crd.DeletionTimestamp.IsZero():
		return rules.DefinitionTerminating, nil
	}
	return rules.DefinitionLives, nil
}
