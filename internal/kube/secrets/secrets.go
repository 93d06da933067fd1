// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package secrets reads Secrets, whose content is never cached or logged.
package secrets

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// secretTimeout bounds a read, since other reconciles may wait for the same Secret.
const secretTimeout = 10 * time.Second

// Read reads a Secret from live, which must not be a cache. It discards client-go's logs, which have bodies at the highest level.
func Read(ctx context.Context, live client.Reader, name types.NamespacedName) (*corev1.Secret, error) {
	ctx, cancel := context.WithTimeout(Silent(ctx), secretTimeout)
	defer cancel()
	secret := &corev1.Secret{}
	return secret, live.Get(ctx, name, secret)
}

// Silent returns a context without client-go's logs, for requests whose bodies are secret.
func Silent(ctx context.Context) context.Context { return klog.NewContext(ctx, logr.Discard()) }
