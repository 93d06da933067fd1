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

package apiserver

import (
	"net"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// OwnConnection is a client for an API server that shares its connections with no other client
// of cfg. Over HTTP/2 all that goes to a server uses one connection, and when many requests are
// under way, watches are so slow behind them that the API server ends them.
func OwnConnection(cfg *rest.Config) (*http.Client, error) {
	own := rest.CopyConfig(cfg)
	if own.Dial == nil { // client-go shares transports unless they have a dialer; this is its default
		own.Dial = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	return rest.HTTPClientFor(own)
}
