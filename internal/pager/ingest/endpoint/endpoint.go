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

// Package endpoint has the addresses at which the operator serves AlertSources. The operator, and the kubectl plugin that prints the settings
// of senders, have them from here.
package endpoint

import "fmt"

const (
	// Service is the name of the listener's Service, in the operator's namespace, and Port its port of the name PortName.
	Service  = "bellhop-ingest-service"
	Port     = 9444
	PortName = "ingest"
	// Off is the value of --ingest-bind-address that turns the listener off.
	Off = "0"

	// Audience is that of the tokens of ServiceAccounts, and TokenKey the key of the Secret of an AlertSource.
	Audience = "bellhop"
	TokenKey = "token"
	// NextTokenKey is the key of a second token, which is accepted as well: during a rotation some senders have it already.
	NextTokenKey = "tokenNext"

	// Alerts, Status and Webhook are the paths below that of an AlertSource.
	Alerts  = "/api/v2/alerts"
	Status  = "/api/v2/status"
	Webhook = "/webhook"
)

// Path returns the path of an AlertSource.
func Path(namespace, name string) string {
	return fmt.Sprintf("/v1/namespaces/%s/alertsources/%s", namespace, name)
}
