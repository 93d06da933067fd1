// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// OperatorKubeconfig returns the path of a kubeconfig with a token of the operator's ServiceAccount, so that the operator has exactly
// the rights that config/ gives it. The token is renewed until Cluster.Stop.
func (c *Cluster) OperatorKubeconfig(ctx context.Context) (string, error) {
	path, tokenFile := filepath.Join(c.dir, "operator.kubeconfig"), filepath.Join(c.dir, "operator.token")
	lifetime, err := c.writeNewToken(ctx, tokenFile)
	if err != nil {
		return "", err
	}
	if err := WriteKubeconfig(path, c.Config, &clientcmdapi.AuthInfo{TokenFile: tokenFile}); err != nil {
		return "", err
	}
	if !c.renewing {
		c.renewing = true
		renewCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
		c.cleanups = append(c.cleanups, func() error { stop(); return nil })
		go c.renewToken(renewCtx, tokenFile, lifetime)
	}
	return path, nil
}

// renewToken writes a new token to the file whenever half of the lifetime of the old one has passed, until ctx ends. Clients read the
// file again every minute.
func (c *Cluster) renewToken(ctx context.Context, path string, lifetime time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(lifetime/2, time.Minute)):
		}
		if renewed, err := c.writeNewToken(ctx, path); err == nil {
			lifetime = renewed
		} else {
			lifetime = 0 // the API server may be unavailable: retry after the shortest interval
		}
	}
}

// writeNewToken requests a token of the operator's ServiceAccount for 24 hours, and writes it to the file. It returns the lifetime that
// the API server granted, which may be shorter.
func (c *Cluster) writeNewToken(ctx context.Context, path string) (lifetime time.Duration, err error) {
	requestedSeconds := int64((24 * time.Hour).Seconds())
	account := &corev1.ServiceAccount{}
	account.Namespace, account.Name = c.Namespace, c.ServiceAccount
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &requestedSeconds}}
	if err := c.client.SubResource("token").Create(ctx, account, request); err != nil {
		return 0, fmt.Errorf("getting a token for the operator's ServiceAccount: %w", err)
	}
	// The rename is atomic, so that clients never read a part of the token.
	temp := path + ".new"
	if err := os.WriteFile(temp, []byte(request.Status.Token), 0o600); err != nil {
		return 0, err
	}
	return time.Until(request.Status.ExpirationTimestamp.Time), os.Rename(temp, path)
}

// WriteKubeconfig writes a kubeconfig for the API server of config, with the credentials of auth.
func WriteKubeconfig(path string, config *rest.Config, auth *clientcmdapi.AuthInfo) error {
	const name = "bellhop"
	file := clientcmdapi.NewConfig()
	file.Clusters[name] = &clientcmdapi.Cluster{
		Server: config.Host + config.APIPath, TLSServerName: config.ServerName, InsecureSkipTLSVerify: config.Insecure,
		CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData,
	}
	file.AuthInfos[name] = auth
	file.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	file.CurrentContext = name
	return clientcmd.WriteToFile(*file, path)
}

// authInfoOf returns the credentials of a client configuration.
func authInfoOf(config *rest.Config) *clientcmdapi.AuthInfo {
	return &clientcmdapi.AuthInfo{
		ClientCertificate: config.CertFile, ClientCertificateData: config.CertData,
		ClientKey: config.KeyFile, ClientKeyData: config.KeyData,
		Token: config.BearerToken, TokenFile: config.BearerTokenFile,
		Username: config.Username, Password: config.Password,
		Exec: config.ExecProvider, AuthProvider: config.AuthProvider,
		Impersonate: config.Impersonate.UserName, ImpersonateGroups: config.Impersonate.Groups,
	}
}
