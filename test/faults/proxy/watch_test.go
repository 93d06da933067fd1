// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
)

func TestMergedType(t *testing.T) {
	for _, c := range []struct{ first, second, want string }{
		{"ADDED", "MODIFIED", "ADDED"}, {"ADDED", "DELETED", ""}, {"MODIFIED", "MODIFIED", "MODIFIED"},
		{"MODIFIED", "DELETED", "DELETED"}, {"DELETED", "ADDED", "MODIFIED"},
	} {
		if got := mergedType(c.first, c.second); got != c.want {
			t.Errorf("%s and %s make %q", c.first, c.second, got)
		}
	}
}

func TestObjectName(t *testing.T) {
	secret := &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Name: "app", Namespace: "run-1", UID: "u"},
		Data: map[string][]byte{"password": []byte("x")}}
	var encoded bytes.Buffer
	if err := protobuf.NewSerializer(clientgoscheme.Scheme, clientgoscheme.Scheme).Encode(secret, &encoded); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{"metadata":{"name":"disk"}}`: "disk", `{"metadata":{}}`: "", encoded.String(): "app", "k8s\x00rubbish": "?", "rubbish": "?", "": "?",
	} {
		if got := objectName([]byte(text)); got != want {
			t.Errorf("%q has the name %q", text, got)
		}
	}
}
