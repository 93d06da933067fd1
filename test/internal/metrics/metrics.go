// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metrics reads the metrics of a process, as Prometheus does.
package metrics

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// insecureClient accepts the self-signed certificate of a process.
var insecureClient = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

// tokenLifetime is the requested lifetime of tokens in seconds, which is longer than any run.
const tokenLifetime = 24 * 3600

// CreateAccount creates a ServiceAccount without any rights, and returns a token of it.
func CreateAccount(ctx context.Context, api client.Client, namespace, name string) (string, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := api.Create(ctx, account); err != nil {
		return "", err
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenLifetime))}}
	err := api.SubResource("token").Create(ctx, account, request)
	return request.Status.Token, err
}

// Token creates a ServiceAccount that may read metrics, and returns a token of it.
func Token(ctx context.Context, api client.Client, namespace, name string) (string, error) {
	if err := api.Create(ctx, ReaderBinding(namespace, name)); err != nil {
		return "", err
	}
	return CreateAccount(ctx, api, namespace, name)
}

// ReaderBinding allows a ServiceAccount to read metrics. As it is cluster-scoped, it stays when the namespace is deleted.
func ReaderBinding(namespace, name string) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace + "-" + name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "bellhop-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
	}
}

// Fetch returns the metrics at an address as text. Where the answer is not 200, the error is its status.
func Fetch(ctx context.Context, address, token string) (string, error) {
	return FetchWith(ctx, insecureClient, address, token)
}

// FetchWith is Fetch with a client, which may verify the certificate.
func FetchWith(ctx context.Context, client *http.Client, address, token string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", errors.New(response.Status)
	}
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// Read returns the metrics at an address as families, by their names.
func Read(ctx context.Context, address, token string) (map[string]*dto.MetricFamily, error) {
	text, err := Fetch(ctx, address, token)
	if err != nil {
		return nil, fmt.Errorf("reading metrics: %w", err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(strings.NewReader(text))
}
