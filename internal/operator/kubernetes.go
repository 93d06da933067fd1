// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"net/http"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/gophernetes/bellhop/internal/version"
)

// serverVersionTimeout bounds the request for the API server's version, which the start waits for.
const serverVersionTimeout = 10 * time.Second

// reportOldServer logs that the API server is older than the oldest supported version. The operator starts anyway, so that an upgrade of it does not
// stop alerts. A version that cannot be read does not stop it either.
func reportOldServer(ctx context.Context, cfg *rest.Config, connection *http.Client) error {
	clients, err := discovery.NewDiscoveryClientForConfigAndClient(cfg, connection)
	if err != nil {
		return err
	}
	log := ctrl.LoggerFrom(ctx)
	ctx, cancel := context.WithTimeout(ctx, serverVersionTimeout)
	defer cancel()
	server, err := clients.ServerVersionWithContext(ctx)
	if err != nil {
		log.V(1).Info("The version of Kubernetes could not be read", "error", err.Error())
		return nil
	}
	if version.IsTooOld(server.GitVersion) {
		log.Info("Kubernetes is older than the oldest supported version", "version", server.GitVersion, "oldest", version.OldestKubernetes)
	}
	return nil
}
