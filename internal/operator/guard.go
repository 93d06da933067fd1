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

package operator

import (
	"context"
	"fmt"

	"k8s.io/client-go/rest"

	"github.com/gophernetes/bellhop/internal/apiserver"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// NewGuard builds the SSRF guard: it refuses loopback, link-local, metadata and API server addresses, except for those in allow,
// which are separated by commas.
func NewGuard(ctx context.Context, cfg *rest.Config, allow string) (*outbound.Guard, error) {
	allowed, err := outbound.ParseAllow(allow)
	if err != nil {
		return nil, err
	}
	own, err := apiserver.Addresses(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("finding the API server's addresses, which no request may be sent to: %w", err)
	}
	return outbound.NewGuard(allowed, own), nil
}
