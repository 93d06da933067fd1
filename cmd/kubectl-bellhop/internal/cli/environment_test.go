// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// A load balancer may answer 503 while the API server carries the write out.
func TestWritesAreSentOnce(t *testing.T) {
	for method, test := range map[string]struct {
		status, want int
		send         func(coreclient.SecretInterface) error
	}{
		"POST": {http.StatusServiceUnavailable, 1, func(client coreclient.SecretInterface) error {
			_, err := client.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{})
			return err
		}},
		"DELETE": {http.StatusGatewayTimeout, 1, func(client coreclient.SecretInterface) error {
			return client.Delete(t.Context(), "a", metav1.DeleteOptions{})
		}},
		"PATCH": {http.StatusTooManyRequests, 2, func(client coreclient.SecretInterface) error { // it was not carried out
			_, err := client.Patch(t.Context(), "a", "application/merge-patch+json", []byte("{}"), metav1.PatchOptions{})
			return err
		}},
		"GET": {http.StatusServiceUnavailable, 2, func(client coreclient.SecretInterface) error {
			_, err := client.Get(t.Context(), "a", metav1.GetOptions{})
			return err
		}},
	} {
		requests := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests++; requests == 1 && r.Method == method {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(test.status)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"kind": "Secret", "apiVersion": "v1"}`)
		}))
		client, err := coreclient.NewForConfig(New(genericiooptions.NewTestIOStreamsDiscard()).Connection.WrapConfigFn(&rest.Config{Host: server.URL}))
		if err != nil {
			t.Fatal(err)
		}
		if err := test.send(client.Secrets("default")); requests != test.want || MayBeCarriedOut(err) != (test.want == 1) {
			t.Errorf("%s: %d requests, want %d: %v", method, requests, test.want, err)
		}
		server.Close()
	}
}

// client-go has no type for the errors of a credential plugin.
func TestFailingCredentialPluginSendsNothing(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, ExecProvider: &clientcmdapi.ExecConfig{
		Command: "false", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}}
	client, err := coreclient.NewForConfig(New(genericiooptions.NewTestIOStreamsDiscard()).Connection.WrapConfigFn(config))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Secrets("default").Delete(t.Context(), "a", metav1.DeleteOptions{}); err == nil || apierrors.IsNotFound(err) || MayBeCarriedOut(err) {
		t.Errorf("got %v", err)
	}
}
