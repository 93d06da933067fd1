// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// DigestKeySecret is the name of the Secret that has the digest key, in the operator's namespace.
	DigestKeySecret = "bellhop-digest-key"
	// digestKeyEntry is the entry of the Secret's data that has the digest key.
	digestKeyEntry = "key"
	// digestKeySize is the size of the digest key in bytes. It is the size of the hash.
	digestKeySize = 32
)

// +kubebuilder:rbac:groups="",namespace=system,resources=secrets,verbs=create
// +kubebuilder:rbac:groups="",namespace=system,resources=secrets,resourceNames=bellhop-digest-key,verbs=get

// DigestKey reads the key of the digests of parameters in statuses from a Secret, and creates the Secret. The key is random, so that a user
// who may read statuses cannot find values of Secrets by computing digests of guesses. It is in a Secret, so that every leader has the
// same key. If the Secret is deleted, another key is created. Digests of different keys are not compared, so that no parameters are sent
// again because of it.
type DigestKey struct {
	live   client.Reader // reads from the API server, not from the cache
	writer client.Client
	name   types.NamespacedName

	mu  sync.Mutex
	key []byte
}

// NewDigestKey returns the digest key in the Secret of that name.
func NewDigestKey(live client.Reader, writer client.Client, name types.NamespacedName) *DigestKey {
	return &DigestKey{live: live, writer: writer, name: name}
}

// Get returns the key, and creates the Secret if it does not exist. The key is read once in a process.
func (k *DigestKey) Get(ctx context.Context) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil {
		return k.key, nil
	}
	secret := &corev1.Secret{}
	err := k.live.Get(ctx, k.name, secret)
	if apierrors.IsNotFound(err) {
		key := make([]byte, digestKeySize)
		rand.Read(key)
		secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: k.name.Namespace, Name: k.name.Name}, Data: map[string][]byte{digestKeyEntry: key}}
		err = k.writer.Create(ctx, secret, client.DisableReadYourWritesConsistency)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading or creating Secret %s, which has the key of the digests of parameters: %s", k.name, err.Error()) // not wrapped: the caller would take not-found for its own object
	case len(secret.Data[digestKeyEntry]) < digestKeySize:
		return nil, fmt.Errorf("the Secret %s must have the key %q with at least %d bytes: delete the Secret, and the operator creates another key", k.name, digestKeyEntry, digestKeySize)
	}
	k.key = secret.Data[digestKeyEntry]
	return k.key, nil
}
